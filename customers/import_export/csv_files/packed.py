"""The bytes of a file as they are read twice: at their beginning, seekable, and unpacked."""

import gzip
import shutil
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import IO, Any, cast

from customers.import_export.csv_files.refused import RefusedError

GZIP = b"\x1f\x8b"
MB = 1024 * 1024


class Unpacked(gzip.GzipFile):
    """What a gzip archive holds. RefusedError when it is damaged, or holds more than ``most`` bytes."""

    def __init__(self, packed: IO[bytes], name: object, most: int | None) -> None:
        super().__init__(fileobj=packed, mode="rb")
        self._name_shown = name
        self._most = most

    def read(self, size: int | None = -1) -> bytes:
        return self._some(super().read, size)

    def read1(self, size: int = -1) -> bytes:
        return self._some(super().read1, size)

    def _some(self, read: Callable[[Any], bytes], size: int | None) -> bytes:
        try:
            content = read(size)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            raise RefusedError(f"{self._name_shown} is a damaged or incomplete gzip archive; fetch it again.") from None
        if self._most is not None and self.tell() > self._most:
            raise RefusedError(
                f"{self._name_shown} has more than {self._most / MB:.0f} MB when it is unpacked, which is the limit. "
                "Split it, or ask an operator to load it."
            )
        return content


def unpacked(raw: IO[bytes], name: object, most: int | None = None) -> IO[bytes]:
    """The file itself, or what it holds where it begins as a gzip archive does, whatever its name."""
    head = raw.read(len(GZIP))
    raw.seek(0)
    return cast(IO[bytes], Unpacked(raw, name, most)) if head == GZIP else raw


@contextmanager
def seekable(raw: IO[bytes], name: object) -> Iterator[IO[bytes]]:
    """The file, or where it is a pipe a copy without a name on the disk, at its beginning."""
    if raw.seekable():
        yield raw
        return
    with tempfile.TemporaryFile() as copy:
        try:
            shutil.copyfileobj(raw, copy, MB)
        except OSError as error:
            raise RefusedError(
                f"{name} cannot be read twice, nor copied to {tempfile.gettempdir()}: {error.strerror}."
            ) from None
        copy.seek(0)
        yield copy
