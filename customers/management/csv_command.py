"""What all commands that load a CSV file have in common: options, report, exit codes."""

import sys
from argparse import ArgumentParser
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from customers.import_export.csv_files.file import RefusedError
from customers.import_export.csv_files.number_format import DECIMALS
from customers.import_export.customers import ImportReport
from customers.import_export.load_errors import LoadError
from customers.import_export.mapping import combined, keep_mapping, kept_mapping, parse
from customers.import_export.staging import SLICE_ROWS
from customers.management.progress import TerminalProgress, positive

EXIT_CODES = "Exits with 0 if all rows were loaded, 2 if some were rejected, 1 if the file was refused."
SOME_REJECTED = 2


def input_file(text: str) -> Path:
    """A path, as an argument's type; - is standard input."""
    return Path("/dev/stdin" if text == "-" else text)


def add_decimal(parser: CommandParser | ArgumentParser) -> None:
    parser.add_argument(
        "--decimal", choices=list(DECIMALS), help="the decimal mark of columns whose numbers do not show it"
    )


def add_mapping(parser: CommandParser | ArgumentParser) -> None:
    parser.add_argument(
        "--map",
        action="append",
        default=[],
        metavar="COLUMN=FIELD",
        help="which field a column of the file's own naming holds, such as Kontostand=balance; may be repeated",
    )
    parser.add_argument("--mapping", metavar="NAME", help="use a kept mapping; --map changes parts of it")
    parser.add_argument("--save-mapping", metavar="NAME", help="keep the mapping under this name once the file is read")


def chosen_mapping(options: dict[str, Any]) -> dict[str, str]:
    """What ``--map`` and ``--mapping`` say together. RefusedError says what is wrong with them."""
    kept = kept_mapping(options["mapping"]) if options["mapping"] else {}
    mapping = combined(kept, parse(options["map"]))
    if options["save_mapping"] and not mapping:
        raise RefusedError("There is no mapping to keep: name its columns with --map.")
    return mapping


class CsvCommand(BaseCommand):
    """Subclasses say how a file is loaded, and may add to the options, which ``load_file`` gets by name."""

    load_file: Callable[..., ImportReport]

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "file", type=input_file, help="CSV in UTF-8, with a header; may be gzipped; - reads standard input"
        )
        parser.add_argument("--dry-run", action="store_true", help="check and compare; store nothing")
        parser.add_argument("--rejects", type=Path, metavar="PATH", help="file for rejected rows (FILE.rejects.csv)")
        add_decimal(parser)
        add_mapping(parser)
        parser.add_argument(
            "--batch-rows", type=positive, default=SLICE_ROWS, metavar="N", help="rows per transaction (%(default)s)"
        )

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        try:
            mapping = chosen_mapping(options)
            with TerminalProgress(sys.stderr) as progress:
                report = self.load_file(file, progress=progress, mapping=mapping, **self.how(options))
        except RefusedError as error:
            raise CommandError(f"{error} Nothing was stored.") from None
        except LoadError as error:
            raise CommandError(str(error)) from None
        self.print_report(report, dry_run=options["dry_run"])
        if options["save_mapping"] and not options["dry_run"]:
            keep_mapping(options["save_mapping"], mapping)
            self.stdout.write(f"Kept the mapping {options['save_mapping']}")
        if report.rejects.rows:
            raise CommandError(f"Rejected rows: {report.rejects.rows}.", returncode=SOME_REJECTED)

    def how(self, options: dict[str, Any]) -> dict[str, Any]:
        """The options as ``load_file`` takes them."""
        return {
            "dry_run": options["dry_run"],
            "rejects_path": options["rejects"],
            "decimal": options["decimal"],
            "slice_rows": options["batch_rows"],
        }

    def print_report(self, report: ImportReport, *, dry_run: bool) -> None:
        counts, rejects = report.counts, report.rejects
        lines = (
            *([f"Ignored columns: {', '.join(report.ignored)}"] if report.ignored else []),
            *report.formats,
            f"{'Dry run, nothing stored: ' if dry_run else ''}{counts}, {rejects.rows} rejected",
            f"{report.rows} rows in {report.seconds:.1f} s, {report.rows / report.seconds:.0f} rows/s",
            *report.notes,
            *rejects.summary(),
            *([f"Rejected rows are in {rejects.path}"] if rejects.rows and rejects.path else []),
        )
        self.stdout.write("\n".join(lines))
