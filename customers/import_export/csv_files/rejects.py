"""The rejects file: every row that was not loaded, why, and its cells, so that it can be mended and loaded again."""

import csv
import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import IO, Any

from customers.import_export.csv_files.cells import neutralised
from customers.import_export.csv_files.file import RefusedError
from customers.import_export.csv_files.rows import Fault, Rejected
from customers.presentation.numbers import format_count

HEADER = ("row_number", "column", "reason")
FIRST_BYTES = ",".join(HEADER).encode()
SUFFIX = ".rejects.csv"
DEVICES = (Path("/dev"), Path("/dev/fd"))
KINDS_SHOWN = 10


def default_path(source: Path) -> Path:
    """Beside the file; in the current directory for what comes from a pipe, /dev/stdin."""
    is_device = source.parent in DEVICES or source.is_relative_to("/proc")
    return (Path() if is_device else source.parent) / Path(source.name.removesuffix(".gz")).with_suffix(SUFFIX)


class Rejects:
    """Counts the rejected rows, and writes them to a file unless there is no path for it.

    The file appears under its name only when it is complete.
    """

    def __init__(self, path: Path | None, names: Sequence[str]) -> None:
        self.path = path
        self.rows = 0
        self.kinds: Counter[Fault] = Counter()
        self.first_rows: dict[Fault, int] = {}
        self._names = names
        self._file: IO[str] | None = None
        self._writer: Any = None

    def add(self, rejected: Rejected) -> None:
        self.rows += 1
        for fault in rejected.faults:
            kind = Fault(fault.column, fault.reason)
            self.kinds[kind] += 1
            self.first_rows.setdefault(kind, rejected.row_number)
        if self.path is None:
            return
        try:
            (self._writer or self._open(self.path)).writerow(line_of(rejected))
        except OSError as error:
            raise cannot_write(self.path, error) from None

    def summary(self) -> list[str]:
        """The commonest reasons, each with how often and where first, as lines for staff."""
        kinds = self.kinds.most_common()
        lines = [
            f"{describe_where(times, self.first_rows[kind])}: {kind.column or 'the row'} {kind.reason}"
            for kind, times in kinds[:KINDS_SHOWN]
        ]
        return [*lines, describe_others(len(kinds) - KINDS_SHOWN)] if len(kinds) > KINDS_SHOWN else lines

    def _open(self, path: Path) -> Any:
        # Readable by its owner alone, as temporary files are: it holds customers' data.
        self._file = tempfile.NamedTemporaryFile(  # noqa: SIM115  closed by publish() or discard()
            "w", dir=path.parent, prefix=path.name, suffix=".part", delete=False, newline="", encoding="utf-8"
        )
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._writer.writerow(header_of(self._names))
        return self._writer

    def publish(self) -> None:
        """Put the file, now complete, in its place."""
        if self.path is None or self._file is None:
            return
        try:
            self._file.close()
            os.replace(self._file.name, self.path)
        except OSError as error:
            raise cannot_write(self.path, error) from None
        self._file = None

    def discard(self) -> None:
        """Leave nothing half-written behind."""
        if self._file is not None:
            self._file.close()
            Path(self._file.name).unlink(missing_ok=True)
            self._file = None


def describe_where(rows: int, first: int) -> str:
    if rows == 1:
        return f"1 row rejected, row {first:,}"
    return f"{rows:,} rows rejected, the first in row {first:,}"


def describe_others(kinds: int) -> str:
    return f"Further rows rejected for {format_count(kinds, 'more reason', 'more reasons')}"


def header_of(names: Sequence[str]) -> list[str]:
    return [*HEADER, *map(neutralised, names)]


def line_of(rejected: Rejected) -> list[Any]:
    columns = "; ".join(fault.column for fault in rejected.faults)
    reasons = "; ".join(f"{fault.column} {fault}".strip() for fault in rejected.faults)
    return [rejected.row_number, *map(neutralised, (columns, reasons, *rejected.cells))]


def remove_former(path: Path, source: Path) -> None:
    """Take away what a former run rejected, lest it look like this run's. RefusedError when it is something else.

    It stays when it was never named and rows come from a pipe: they may be its own, mended, and nowhere else.
    """
    try:
        if path.exists() and source.exists():
            refuse_to_lose(path, source)
            if source.is_file() or path != default_path(source):
                path.unlink()
    except OSError as error:
        raise cannot_write(path, error) from None


def refuse_to_lose(path: Path, source: Path) -> None:
    if not path.is_file() or path.samefile(source):
        raise RefusedError(f"Rejected rows cannot be written to {path}; name another with --rejects.")
    with path.open("rb") as file:
        if file.read(len(FIRST_BYTES)) not in (FIRST_BYTES, b""):
            raise RefusedError(f"Rejected rows would overwrite {path}, which is not a rejects file; name another.")


def cannot_write(path: Path, error: OSError) -> RefusedError:
    return RefusedError(f"Rejected rows cannot be written to {path} ({error.strerror}); name another with --rejects.")
