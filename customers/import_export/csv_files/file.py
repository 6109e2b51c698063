"""A CSV file as numbered records, or one clear sentence why it is none."""

import csv
import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TextIO

from customers.import_export.csv_files.packed import seekable, unpacked
from customers.import_export.csv_files.refused import RefusedError as RefusedError

# How a file begins that was taken for a CSV, and what to do with it.
SAVE = "save it as CSV in UTF-8"
UNPACK = "unpack it first"
WORKBOOK_OR_ZIP = ("an Excel workbook or a zip archive", "save the workbook as CSV in UTF-8, or unpack the archive")
OTHER_FORMATS = {
    b"PK\x03\x04": WORKBOOK_OR_ZIP,
    b"PK\x05\x06": WORKBOOK_OR_ZIP,
    b"\xd0\xcf\x11\xe0": ("an old Excel workbook", SAVE),
    b"\x1f\x8b": ("a gzip archive in another one", "unpack it once"),
    b"BZh": ("a bzip2 archive", UNPACK),
    b"\xfd7zXZ\0": ("an xz archive", UNPACK),
    b"\x28\xb5\x2f\xfd": ("a zstandard archive", UNPACK),
    b"7z\xbc\xaf\x27\x1c": ("a 7-Zip archive", UNPACK),
    b"Rar!\x1a\x07": ("a RAR archive", UNPACK),
    b"PAR1": ("a Parquet file", SAVE),
    b"%PDF": ("a PDF", SAVE),
    b"\xff\xfe": ("UTF-16 text", SAVE),
    b"\xfe\xff": ("UTF-16 text", SAVE),
}
HEAD_BYTES = 512
TAR, TAR_AT = b"ustar", 257
# Excel's own first line.
SEPARATOR_LINE = re.compile(r'"?sep=.?"?', re.IGNORECASE)
# csv reads a space between a closing quote and the delimiter as a mistake; spreadsheets and people don't.
PADDED_QUOTE = re.compile(r'" +(?=[,;|\t\r\n]|$)')

Record = tuple[int, list[str]]


@contextmanager
def open_csv(path: Path) -> Iterator[TextIO]:
    """Open a UTF-8 text file whose lines end in LF, CRLF or CR; it may be packed by gzip, or come from a pipe.

    The text can go back to its beginning: ``seek(0)``. RefusedError says why a file can't be read.
    """
    try:
        raw = path.open("rb")
    except FileNotFoundError:
        raise RefusedError(f"There is no file {path}.") from None
    except IsADirectoryError:
        raise RefusedError(f"{path} is a directory.") from None
    except OSError as error:
        raise RefusedError(f"{path} cannot be read: {error.strerror}.") from None
    with raw, seekable(raw, path) as file:
        yield text_of(file, path)


def text_of(raw: IO[bytes], name: object, most: int | None = None) -> TextIO:
    """The text of a binary file that stands at its beginning and can go back there. RefusedError as ``open_csv``.

    An archive that holds more than ``most`` bytes is refused where that shows: by the reader of its text.
    """
    raw = unpacked(raw, name, most)
    refuse_other_formats(raw.read(HEAD_BYTES), name)
    raw.seek(0)
    return io.TextIOWrapper(raw, encoding="utf-8-sig", newline="")


def refuse_other_formats(head: bytes, path: object) -> None:
    if not head:
        raise RefusedError(f"{path} is empty.")
    for magic, (what, to_do) in OTHER_FORMATS.items():
        if head.startswith(magic):
            raise RefusedError(f"{path} is {what}, not a CSV; {to_do}.")
    if head.startswith(TAR, TAR_AT):
        raise RefusedError(f"{path} is a tar archive, not a CSV; {UNPACK}.")
    if b"\0" in head[:4]:
        raise RefusedError(f"{path} looks like UTF-16 text or a binary file; save it as CSV in UTF-8.")


class Lines:
    """The lines of a text, counted, each kept until the next record begins."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self.number = 0
        self.of_record: list[str] = []

    def __iter__(self) -> "Lines":
        return self

    def __next__(self) -> str:
        try:
            line = next(self._text)
        except UnicodeDecodeError as error:
            before = error.object[: error.start]
            number = self.number + 1 + (before.count(b"\n") or before.count(b"\r"))
            raise RefusedError(f"Line {number} is not UTF-8; {guess(error)}. Save the file as UTF-8.") from None
        self.number += 1
        self.of_record.append(line)
        return line


def guess(error: UnicodeDecodeError) -> str:
    """What the text is likely to be instead of UTF-8."""
    try:
        error.object.decode("cp1252")
    except UnicodeDecodeError:
        return "its encoding could not be guessed"
    return "it looks like Windows-1252 (cp1252, Excel's plain CSV)"


def header_line(lines: Lines) -> str:
    """The first line that is not blank. RefusedError when there is none."""
    for line in lines:
        if line.strip() and not SEPARATOR_LINE.fullmatch(line.strip()):
            return line
    raise RefusedError("The file holds nothing but blank lines.")


def records(lines: Lines, delimiter: str) -> Iterator[Record]:
    """The rows below the header with the number of the line on which each begins; blank rows are passed over.

    A row whose quotes don't match comes as the one cell that it is.
    """
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    while True:
        begins = lines.number + 1
        lines.of_record.clear()
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            cells = with_padded_quotes(lines.of_record, delimiter, begins, error)
        if any(cells) and not "".join(cells).isspace():
            yield begins, cells


def at_least_one(found: Iterator[Record]) -> Iterator[Record]:
    """The same records. RefusedError when there is none."""
    first = next(found, None)
    if first is None:
        raise RefusedError("The file has a header and no rows.")
    yield first
    yield from found


def with_padded_quotes(of_record: list[str], delimiter: str, begins: int, error: csv.Error) -> list[str]:
    """Read a record again that csv could not, without the spaces behind closing quotes."""
    if "unexpected end of data" in str(error) or "field larger" in str(error):
        raise RefusedError(f'Row {begins} opens a quote (") that is never closed, or has a cell without end.') from None
    mended = [PADDED_QUOTE.sub('"', line) for line in of_record]
    try:
        [cells] = csv.reader(mended, delimiter=delimiter, skipinitialspace=True, strict=True)
    except (csv.Error, ValueError):
        return ["".join(of_record).rstrip("\r\n")]
    return cells
