"""One line on a terminal that shows how far a command has come; silence anywhere else."""

import argparse
from time import monotonic
from types import TracebackType
from typing import TextIO

from customers.import_export.staging import Progress

PAUSE_SECONDS = 0.1
BAR_WIDTH = 30
CLEAR_LINE = "\r\x1b[K"


class TerminalProgress(Progress):
    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._shown = stream.isatty()
        self._last = 0.0

    def __enter__(self) -> "TerminalProgress":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._write(CLEAR_LINE)

    def __call__(self, what: str, rows: int) -> None:
        self._show(f"{rows:,} rows {what}" if rows else what)

    def bar(self, what: str, done: int, total: int) -> None:
        """Show how much of a known whole is done."""
        filled = "█" * (BAR_WIDTH * done // total)
        self._show(f"{what} {filled:░<{BAR_WIDTH}} {done} of {total}")

    def _show(self, line: str) -> None:
        if monotonic() - self._last >= PAUSE_SECONDS:
            self._last = monotonic()
            self._write(f"{CLEAR_LINE}{line}")

    def _write(self, text: str) -> None:
        if self._shown:
            self._stream.write(text)
            self._stream.flush()


def positive(text: str) -> int:
    """A whole number from 1 on, as an argument's type."""
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text} is not a whole number of 1 or more")
    return number
