"""A log that never makes its writer wait: what its reader does not take at once is dropped, and reported later.

A pipe that is full blocks its writer for as long as no reader empties it, and with it all that the writer was to do.
Whatever a value holds, a record is one line; only tracebacks follow it on lines of their own, which are indented.
"""

import logging
import os
import re
import select
import socket
import stat
from contextlib import suppress
from typing import Any

STDERR = 2
# What a pipe takes whole or not at all (POSIX), and has room for when it calls itself writable.
PIECE_BYTES = select.PIPE_BUF

# What ends a line, steers a terminal, or turns text round or hides it: the control characters, the separators of lines
# and paragraphs, and what Unicode calls formats.
UNPRINTED = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u0600-\u0605\u061c\u06dd\u070f\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0001-\U000e007f]"
)
INDENT = "    "


def escaped(text: str) -> str:
    """The text in one line of visible characters: a line break becomes ``\\n``, an escape ``\\x1b``."""
    return UNPRINTED.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def indented(text: str) -> str:
    """The lines of a traceback: none of them can be taken for a record, which begins at the left."""
    return "\n".join(INDENT + escaped(line) for line in text.split("\n"))


def configuration(level: str, log_format: str) -> dict[str, Any]:
    """Django's LOGGING: all records in one format, ``line`` or ``json``, on stderr."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "line": {
                "()": "vigilpay.processes.logs.LineFormatter",
                "format": "{asctime} {levelname} {name}: {message}",
                "style": "{",
            },
            "json": {"()": "vigilpay.processes.json_lines.JsonLines"},
        },
        "filters": {
            "brief": {"()": "vigilpay.processes.logs.Brief"},
            "context": {"()": "vigilpay.web.log_context.LogContext"},
        },
        "handlers": {
            "console": {
                "class": "vigilpay.processes.logs.NeverBlockingHandler",
                "formatter": log_format,
                "filters": ["brief", "context"],
            },
        },
        "root": {"handlers": ["console"], "level": "WARNING"},
        "loggers": {
            "vigilpay": {"level": level},
            "axes": {"level": "ERROR"},  # vigilpay/access/logins.py says the same, without what was typed
            "django": {"handlers": []},  # nothing is mailed: Django's own report of a crash holds the values of a form
            "django.server": {"handlers": ["console"], "level": level, "propagate": False},
            # The web server's own lines keep its own format, unless a machine shall read all of them.
            **({"gunicorn.error": {"handlers": ["console"], "propagate": False}} if log_format == "json" else {}),
        },
    }


class LineFormatter(logging.Formatter):
    """Formats a record so that no value in it can look like another record."""

    def format(self, record: logging.LogRecord) -> str:
        """As ``logging.Formatter`` does it, but for what a former handler has cached of the traceback."""
        record.message = record.getMessage()
        if self.usesTime():
            record.asctime = self.formatTime(record, self.datefmt)
        lines = [escaped(self.formatMessage(record))]
        if record.exc_info:
            lines.append(indented(self.formatException(record.exc_info)))
        if record.stack_info:
            lines.append(indented(self.formatStack(record.stack_info)))
        return "\n".join(lines)


class Brief(logging.Filter):
    """A request that Django refuses, such as one with a wrong Host header, is one line: a traceback is of no use."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name.startswith("django.security."):
            record.exc_info = None
        return True


class NeverBlockingHandler(logging.Handler):
    """Writes lines to a file descriptor. Raises nothing either: a line that can't be written is dropped."""

    def __init__(self, descriptor: int = STDERR) -> None:
        super().__init__()
        self._descriptor = descriptor
        self._outlet: socket.socket | int | None = None
        self._dropped = 0
        self._is_torn = False

    def emit(self, record: logging.LogRecord) -> None:
        notice = self._notice_of_dropped() if self._dropped else b""
        if self._has_written(notice + self._line(record)):
            self._dropped = 0
        else:
            self._dropped += 1

    def _line(self, record: logging.LogRecord) -> bytes:
        try:
            line = self.format(record)
        except Exception as error:  # logging's own answer is a traceback on stderr
            line = f"A log line of {record.pathname}:{record.lineno} could not be formatted: {error!r}"
        return line.encode(errors="backslashreplace") + b"\n"

    def _notice_of_dropped(self) -> bytes:
        lines = "1 log line was" if self._dropped == 1 else f"{self._dropped:,} log lines were"
        message = f"{lines} dropped before this one: what reads this log did not take them."
        notice = logging.LogRecord("vigilpay.logs", logging.WARNING, __file__, 0, message, None, None)
        return b"\n" * self._is_torn + self._line(notice)

    def _has_written(self, text: bytes) -> bool:
        rest = memoryview(text)
        try:
            while rest:
                rest = rest[self._write(bytes(rest[:PIECE_BYTES])) :]
        except OSError:  # full, or nothing reads it any more
            self._is_torn = self._is_torn or len(rest) < len(text)
            return False
        self._is_torn = False
        return True

    def _write(self, data: bytes) -> int:
        if self._outlet is None:
            self._outlet = outlet_of(self._descriptor)
        if isinstance(self._outlet, int):
            return write_if_ready(self._outlet, data)
        return self._outlet.send(data, socket.MSG_DONTWAIT)

    def close(self) -> None:
        outlet, self._outlet = self._outlet, None
        if isinstance(outlet, socket.socket):
            outlet.close()
        elif outlet not in (None, self._descriptor):
            os.close(outlet)
        super().close()


def outlet_of(descriptor: int) -> socket.socket | int:
    """A way of our own to the same reader that does not wait; the descriptor itself where there is none.

    O_NONBLOCK on the descriptor itself would be for all who share it: shells, and our own parents.
    """
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISSOCK(mode):  # as of a service under systemd
        return socket.socket(fileno=os.dup(descriptor))
    if stat.S_ISFIFO(mode) or stat.S_ISCHR(mode):
        with suppress(OSError):  # no such directory here, or a pipe that another user has made
            return os.open(f"/proc/self/fd/{descriptor}", os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    return descriptor


def write_if_ready(descriptor: int, data: bytes) -> int:
    """Raises ``BlockingIOError`` instead of waiting."""
    _, writable, _ = select.select([], [descriptor], [], 0)
    if not writable:
        raise BlockingIOError
    return os.write(descriptor, data)
