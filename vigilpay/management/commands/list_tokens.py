"""The tokens of programs."""

import json
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.core.serializers.json import DjangoJSONEncoder

from customers.management.columns import in_columns
from customers.presentation.durations import format_time
from vigilpay.models import ServiceToken

FIELDS = ("id", "name", "state", "scopes", "created_by", "created_at", "expires_at", "last_used_at", "revoked_at")


class Command(BaseCommand):
    help = "List the service tokens, without their secrets, which are not stored."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--json", action="store_true", help="list them as JSON")

    def handle(self, *args: Any, json: bool, **options: Any) -> None:
        found = [{field: getattr(token, field) for field in FIELDS} for token in ServiceToken.objects.all()]
        self.stdout.write(as_json(found) if json else as_table(found))


def as_json(found: list[dict[str, Any]]) -> str:
    return json.dumps(found, cls=DjangoJSONEncoder)


def as_table(found: list[dict[str, Any]]) -> str:
    if not found:
        return "There are no tokens. Create one with create_token."
    head = tuple(field.replace("_", " ") for field in FIELDS)
    return in_columns(head, [[as_cell(token[field]) for field in FIELDS] for token in found])


def as_cell(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(value)
    if isinstance(value, datetime):
        return format_time(value)
    return "" if value is None else str(value)
