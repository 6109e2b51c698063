"""The story of one customer."""

import json
from argparse import ArgumentParser
from collections.abc import Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.core.serializers.json import DjangoJSONEncoder

from customers.history.timeline import Change, Chapter, Edit, Score, editor_names, story
from customers.management.columns import in_columns
from customers.management.progress import positive
from customers.ml_service.reasons.moves import Move
from customers.ml_service.reasons.reason_codes import PART_NAMES


class Command(BaseCommand):
    help = "Tell the story of one customer: every score, and between two scores who changed what."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("customer_id", type=positive)
        parser.add_argument("--scores", type=positive, default=50, help="how many of the newest (%(default)s)")
        parser.add_argument("--json", action="store_true", help="as JSON")

    def handle(self, *args: Any, customer_id: int, scores: int, **options: Any) -> None:
        chapters = story(customer_id, scores)
        if not chapters:
            raise CommandError(f"Nothing is known of a customer {customer_id}.")
        if options["json"]:
            self.stdout.write(json.dumps([asdict(chapter) for chapter in chapters], cls=DjangoJSONEncoder))
        else:
            self.stdout.write(table_of(chapters))


def table_of(chapters: list[Chapter]) -> str:
    names = editor_names(chapters)
    rows = [row for chapter in chapters for row in told(chapter, names)]
    return in_columns(("when", "version", "by", "what"), rows)


def told(chapter: Chapter, names: dict[str, str]) -> Iterator[tuple[str, str, str, str]]:
    for edit in chapter.edits:
        yield moment(edit.edited_at), str(edit.version), names[edit.edited_by], edit_in_words(edit)
    if chapter.score is None:
        yield "", "", "", "not scored"
    else:
        yield moment(chapter.score.scored_at), str(chapter.score.version), "", score_in_words(chapter.score)
        if chapter.moves:
            yield "", "", "", moves_in_words(chapter.moves)


def edit_in_words(edit: Edit) -> str:
    changed = ", ".join(map(change_in_words, edit.changes))
    if edit.returned:
        return f"left the table and came back{changed and ': '}{changed}"
    if changed:
        return changed
    return "created" if edit.version == 1 else "edited; what was before is no longer kept"


def change_in_words(change: Change) -> str:
    return f"{change.field} {change.before} -> {change.after}"


def score_in_words(score: Score) -> str:
    moved = "" if score.previous_score is None else f" ({score.score - score.previous_score:+.2%})"
    return f"score {score.score:.2%}{moved}, {score.cause or 'scored'}, release {score.release}"


def moves_in_words(moves: tuple[Move, ...]) -> str:
    return "  " + ", ".join(f"{PART_NAMES[move.part]} {move.points:+.1f}" for move in moves) + " points"


def moment(when: datetime | None) -> str:
    return f"{when:%Y-%m-%d %H:%M:%S.%f}"[:23] if when else ""
