"""What all commands that load a CSV file have in common: options, report, exit codes."""

import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from customers.import_export.csv_files.file import RefusedError
from customers.import_export.csv_files.number_format import DECIMALS
from customers.import_export.customers import Report
from customers.import_export.staging import SLICE_ROWS, LoadError
from customers.management.progress import TerminalProgress, positive

EXIT_CODES = "Exits with 0 when all rows were loaded, 2 when some were rejected, 1 when the file was refused."
SOME_REJECTED = 2


def input_file(text: str) -> Path:
    """A path, as an argument's type; - is standard input."""
    return Path("/dev/stdin" if text == "-" else text)


def add_decimal(parser: CommandParser | ArgumentParser) -> None:
    parser.add_argument(
        "--decimal", choices=list(DECIMALS), help="the decimal mark of columns whose numbers could be read both ways"
    )


class CsvCommand(BaseCommand):
    """Subclasses say how a file is loaded, and may add to the options, which ``load`` gets by name, and the report."""

    def load(self, file: Path, **how: Any) -> Report:
        raise NotImplementedError

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "file", type=input_file, help="CSV in UTF-8, with a header; may be gzipped; - reads standard input"
        )
        parser.add_argument("--dry-run", action="store_true", help="check and compare, store nothing")
        parser.add_argument("--rejects", type=Path, metavar="PATH", help="where rejected rows go (FILE.rejects.csv)")
        add_decimal(parser)
        parser.add_argument(
            "--batch-rows", type=positive, default=SLICE_ROWS, metavar="N", help="rows per transaction (%(default)s)"
        )

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        with TerminalProgress(sys.stderr) as progress:
            report = self.load_or_say_why_not(file, progress=progress, **self.how(options))
        self.tell(report, dry_run=options["dry_run"])
        if report.rejects.rows:
            raise CommandError(f"Rejected rows: {report.rejects.rows}.", returncode=SOME_REJECTED)

    def how(self, options: dict[str, Any]) -> dict[str, Any]:
        """The options as ``load`` takes them."""
        return {
            "dry_run": options["dry_run"],
            "rejects_path": options["rejects"],
            "decimal": options["decimal"],
            "slice_rows": options["batch_rows"],
        }

    def load_or_say_why_not(self, file: Path, **how: Any) -> Report:
        try:
            return self.load(file, **how)
        except RefusedError as error:
            raise CommandError(f"{error} Nothing was stored.") from None
        except LoadError as error:
            raise CommandError(str(error)) from None

    def tell(self, report: Report, *, dry_run: bool) -> None:
        if report.ignored:
            self.stdout.write(f"Ignored columns: {', '.join(report.ignored)}")
        for line in report.formats:
            self.stdout.write(line)
        counts = f"{report.tally.new} new, {report.tally.changed} changed, {report.tally.unchanged} unchanged"
        self.stdout.write(f"{'Dry run, nothing stored: ' if dry_run else ''}{counts}, {report.rejects.rows} rejected")
        self.stdout.write(f"{report.rows} rows in {report.seconds:.1f} s, {report.rows / report.seconds:.0f} rows/s")
        for note in report.notes:
            self.stdout.write(note)
        self.tell_rejected(report)

    def tell_rejected(self, report: Report) -> None:
        for line in report.rejects.summary():
            self.stdout.write(line)
        if report.rejects.rows and report.rejects.path:
            self.stdout.write(f"Rejected rows are in {report.rejects.path}")
