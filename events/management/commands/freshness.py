"""How fresh the scores are, for people."""

import json
import shutil
from dataclasses import asdict
from time import sleep
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.core.serializers.json import DjangoJSONEncoder
from django.db import OperationalError, close_old_connections

from events.freshness.queries import freshness
from events.freshness.table import format_freshness

WATCH_SECONDS = 1.0
CLEAR, HOME, END_OF_LINE, BELOW = "\x1b[2J", "\x1b[H", "\x1b[K", "\x1b[J"


class Command(BaseCommand):
    help = "Show how current the scores are: scores pending, lag, queue, failures, and whether scoring is paused."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--watch", action="store_true", help="refresh every second until Ctrl-C")
        parser.add_argument("--json", action="store_true", help="as JSON, in one line")

    def handle(self, *args: Any, watch: bool, **options: Any) -> None:
        if not watch:
            self.stdout.write(answer(options["json"]))
            return
        try:
            self.watch(options["json"])
        except KeyboardInterrupt:  # how a watch is meant to end
            self.stdout.write("")

    def watch(self, as_json: bool) -> None:
        in_place = self.stdout.isatty() and not as_json
        if in_place:
            self.stdout.write(CLEAR, ending="")
        while True:
            text = answer_or_trouble(as_json)
            self.stdout.write(screen(text) if in_place else text, ending="" if in_place else "\n")
            self.stdout.flush()
            sleep(WATCH_SECONDS)


def answer(as_json: bool) -> str:
    found = freshness()
    return json.dumps(asdict(found), cls=DjangoJSONEncoder) if as_json else format_freshness(found)


def answer_or_trouble(as_json: bool) -> str:
    """A watch goes on without the database, to show when it comes back."""
    try:
        return answer(as_json)
    except OperationalError as error:
        close_old_connections()
        trouble = f"The database does not answer: {' '.join(str(error).split())}"
        return json.dumps({"error": trouble}) if as_json else trouble


def screen(text: str) -> str:
    """Over what is there, line by line, without a flicker; no more than the terminal has room for."""
    columns, lines = shutil.get_terminal_size()
    return HOME + "".join(f"{line[:columns]}{END_OF_LINE}\n" for line in text.splitlines()[: lines - 1]) + BELOW
