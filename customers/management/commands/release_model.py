"""Accept a model file, go back to a former one, or tell how far the customers are on their way to the active one."""

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from customers.management.progress import positive
from customers.management.questions import ask
from customers.ml_service import ModelError
from customers.releases.acceptance import Terms, accept, go_back
from customers.releases.dry_run import SAMPLE_CUSTOMERS
from customers.releases.progress import describe_status, watch


class Command(BaseCommand):
    help = (
        "Verify a model file, show how scores would change, store it in the database, and make it the active model, or "
        "propose it to another person; or go back to a former one."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path, nargs="?", help="a RandomForestClassifier dumped with joblib")
        parser.add_argument("--note", default="", help="reason; kept with the release")
        parser.add_argument("--by", default="", metavar="USERNAME", help="who wants it; required if two persons decide")
        parser.add_argument(
            "--sha256", default="", metavar="HEX", help="refuse any other file; at least 16 digits of the checksum"
        )
        parser.add_argument("--yes", action="store_true", help="open the file without a question")
        parser.add_argument(
            "--trust-columns", default="", metavar="REASON", help="why the columns are right, if thresholds look wrong"
        )
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--rollback", action="store_true", help="make the model before the active one active again")
        what.add_argument(
            "--status", action="store_true", help="show the releases and how many customers each has scored"
        )
        parser.add_argument("--to", type=positive, metavar="RELEASE_ID", help="with --rollback: this release")
        trial = parser.add_argument_group("dry run, on customers drawn at random")
        trial.add_argument("--dry-run", action="store_true", help="change nothing")
        trial.add_argument("--sample", type=positive, default=SAMPLE_CUSTOMERS, metavar="N", help="(%(default)s)")
        trial.add_argument("--max-mean-shift", type=share, metavar="X", help="refuse if the mean score changes by more")
        parser.add_argument(
            "--wait", action="store_true", help="wait until all customers are rescored; without a PATH: only watch"
        )

    def handle(self, *, path: Path | None, rollback: bool, status: bool, wait: bool, **options: Any) -> None:
        refuse_contradictions(path, rollback=rollback, status=status, wait=wait, to=options["to"])
        if options["trust_columns"] and not path:
            raise CommandError("--trust-columns needs the PATH of a model file.")
        terms = Terms(**{name: options[name] for name in ("note", "sample", "max_mean_shift", "dry_run", "by")})
        try:
            if rollback:
                self.print_lines(go_back(options["to"], terms))
            elif path:
                trusted = options["trust_columns"].strip()
                self.print_lines(
                    accept(
                        path,
                        terms,
                        sha256=options["sha256"],
                        trusted=trusted,
                        may_be_opened=lambda: options["yes"] or self.ask_to_open(),
                    )
                )
        except OSError as error:
            raise CommandError(f"{error}. Nothing was changed.") from error
        except ModelError as error:
            raise CommandError(str(error)) from error
        if status:
            self.print_lines(describe_status())
        if wait and not options["dry_run"]:
            self.watch()

    def ask_to_open(self) -> bool:
        """Whether the user at the terminal trusts the file whose path and checksum were just printed."""
        self.stdout.write("A model file is a pickle: opening it runs the code in it.")
        if not sys.stdin.isatty():
            raise CommandError(
                "The file was not opened: no terminal to ask at. Compare the checksum with the source's, "
                "then run the command again with --yes, and preferably with --sha256."
            )
        return ask("Do you trust the source of this file? Open it? [y/N] ").lower() in ("y", "yes")

    def watch(self) -> None:
        try:
            self.print_lines(watch())
        except KeyboardInterrupt:
            self.print_lines(["Watching ended; rescoring continues. Watch again with: manage.py release_model --wait"])

    def print_lines(self, lines: Iterable[str]) -> None:
        for line in lines:
            self.stdout.write(line)
            self.stdout.flush()


def share(text: str) -> float:
    """A number from 0 to 1, as an argument's type."""
    number = float(text)
    if not 0 <= number <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not from 0 to 1")
    return number


def refuse_contradictions(path: Path | None, *, rollback: bool, status: bool, wait: bool, to: int | None) -> None:
    if path and (rollback or status):
        raise CommandError("PATH cannot be combined with --rollback or --status.")
    if to is not None and not rollback:
        raise CommandError("--to needs --rollback.")
    if not (path or rollback or status or wait):
        raise CommandError("Name the PATH of a model file, or one of --rollback, --status, --wait.")
