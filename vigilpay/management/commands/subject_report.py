"""What is kept about one customer, for the customer who asks."""

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.serializers.json import DjangoJSONEncoder

from customers.management.columns import in_columns
from customers.management.progress import positive
from customers.presentation.durations import format_time
from vigilpay.personal_data.report import Report, Row, report
from vigilpay.trail.models import TrailEntry
from vigilpay.trail.writing import append, command_actor


class Command(BaseCommand):
    help = (
        "Print all that is stored about one customer: values, scores with their reasons, and who read or changed them."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("customer_id", type=positive, metavar="ID")
        parser.add_argument("--json", action="store_true", help="as JSON")

    def handle(self, *args: Any, customer_id: int, **options: Any) -> None:
        found = report(customer_id)
        if found.is_empty:
            raise CommandError(f"Nothing is stored about customer {customer_id}.{describe_erasures(found.erasures)}")
        append(command_actor("subject_report"), TrailEntry.Purpose.REPORT, "subject_report", [customer_id])
        self.stdout.write(as_json(found) if options["json"] else as_text(found))


def describe_erasures(erasures: Sequence[Row]) -> str:
    return "".join(f" Erased on {format_cell(it['at'])} by {it['by']}." for it in erasures)


def as_json(found: Report) -> str:
    return json.dumps(asdict(found), cls=DjangoJSONEncoder, ensure_ascii=False, indent=2)


def as_text(found: Report) -> str:
    head = f"Customer {found.customer_id}, as of {format_cell(found.reported_at)}.{describe_erasures(found.erasures)}"
    return "\n\n".join([head, *(section(name, rows) for name, rows in found.sections.items())])


def section(name: str, rows: Sequence[Row]) -> str:
    """The customer's own values one below the other, all else as a table."""
    if not rows:
        table = "None"
    elif len(rows) == 1:
        table = in_columns(("what", "value"), [(key, format_cell(value)) for key, value in rows[0].items()])
    else:
        table = in_columns(tuple(rows[0]), [tuple(map(format_cell, row.values())) for row in rows])
    return f"{name.capitalize()}\n{table}"


def format_cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return format_time(value, seconds=True)
    if isinstance(value, dict):
        return "; ".join(f"{key} {it}" for key, it in value.items())
    return f"{value:.4f}" if isinstance(value, float) else str(value)
