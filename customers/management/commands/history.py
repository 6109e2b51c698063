"""The history of one customer."""

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.core.serializers.json import DjangoJSONEncoder

from customers.history.timeline import Edit, HistoryEntry, Score, editor_names, read_history
from customers.management.columns import in_columns
from customers.management.progress import positive
from customers.ml_service.reasons.reason_codes import PART_NAMES
from customers.presentation.durations import format_time
from customers.presentation.numbers import format_percent, format_points


class Command(BaseCommand):
    help = "Show the history of one customer: every score, and between two scores who changed what."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("customer_id", type=positive)
        parser.add_argument("--scores", type=positive, default=50, help="number of scores, newest first (%(default)s)")
        parser.add_argument("--json", action="store_true", help="as JSON")

    def handle(self, *args: Any, customer_id: int, scores: int, **options: Any) -> None:
        entries = read_history(customer_id, scores)
        if not entries:
            raise CommandError(f"There is no history of a customer {customer_id}.")
        if options["json"]:
            self.stdout.write(json.dumps([asdict(entry) for entry in entries], cls=DjangoJSONEncoder))
        else:
            names = editor_names(entries)
            rows = [row for entry in entries for row in lines_of(entry, names)]
            self.stdout.write(in_columns(("when", "version", "by", "what"), rows))


def lines_of(entry: HistoryEntry, names: dict[str, str]) -> Iterator[tuple[str, str, str, str]]:
    for edit in entry.edits:
        yield moment(edit.edited_at), str(edit.version), names[edit.edited_by], describe_edit(edit)
    if entry.score is None:
        yield "", "", "", "not scored"
    else:
        yield moment(entry.score.scored_at), str(entry.score.version), "", describe_score(entry.score)
        if entry.moves:
            moved = ", ".join(f"{PART_NAMES[move.part]} {move.points:+.1f}" for move in entry.moves)
            yield "", "", "", f"  {moved} points"


def describe_edit(edit: Edit) -> str:
    changed = ", ".join(f"{change.field} {change.before} -> {change.after}" for change in edit.changes)
    if edit.returned:
        return f"deleted and added again{changed and ': '}{changed}"
    if changed:
        return changed
    return "created" if edit.version == 1 else "edited; the former values are no longer kept"


def describe_score(score: Score) -> str:
    change = "" if score.previous_score is None else f" ({format_points(100 * (score.score - score.previous_score))})"
    return f"churn risk {format_percent(score.score)}{change}, {score.cause or 'scored'}, release {score.release}"


def moment(when: datetime | None) -> str:
    return format_time(when, seconds=True) if when else ""
