"""How a command ends when it cannot go on: one line at most, no traceback, and the exit code that a shell expects."""

import atexit
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import TextIOWrapper
from typing import NoReturn, TextIO

from vigilpay.errors import ExplainedError

INTERRUPTED = 128 + signal.SIGINT
PIPE_CLOSED = 128 + signal.SIGPIPE
AGAIN_SECONDS = 0.02

# PostgreSQL's codes: a table, a column, a function is missing; the role lacks a right.
NOT_MIGRATED = ("42P01", "42703", "42883")
NOT_ALLOWED = "42501"
# PostgreSQL was there and refused: deadlock, no memory or disk left, a lock or a statement that took too long.
REFUSED = ("40", "53", "55", "57014", "58")

PRIVATE_SERVER = "`make db-status` shows the private server, `make db-start` starts it."
OTHER_SERVER = "Start it, or correct DATABASE_URL."


class Stdout(TextIOWrapper):
    """Standard output whose reader may leave, as ``head`` does.

    That ends the program by SystemExit, which passes every handler of errors on its way and leaves no trace.
    """

    def write(self, text: str, /) -> int:
        try:
            return super().write(text)
        except BrokenPipeError:
            self._end()

    def flush(self) -> None:
        try:
            super().flush()
        except BrokenPipeError:
            self._end()

    def _end(self) -> NoReturn:
        discard(self.fileno())
        sys.exit(PIPE_CLOSED)


@contextmanager
def in_one_line() -> Iterator[None]:
    """Run the whole of a program in this block. ``--traceback`` shows where an error came from."""
    sys.stdout, sys.unraisablehook = without_broken_pipes(sys.stdout), repeat_interrupt
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    # Once Python takes itself apart it would let a late Ctrl-C kill it, and the exit code be lost.
    atexit.register(signal.signal, signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    except SystemExit:
        raise
    except BaseException as error:
        end_with(error)
    finally:
        sys.stdout.flush()


def end_with(error: BaseException) -> NoReturn:
    """Print what a user needs to know of it, and exit. Raises what only a programmer understands."""
    if is_interrupt(error):
        signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))  # asked again, we do not wait for our threads
        exit_with(INTERRUPTED, "Interrupted. Run the same command again to finish.")
    if isinstance(error, BrokenPipeError):  # standard error, too, goes to a reader that has left
        discard(sys.stderr.fileno())
        exit_with(PIPE_CLOSED)
    line = describe_error(error)
    if not line or "--traceback" in sys.argv:
        raise error
    exit_with(1, line)


def is_interrupt(error: BaseException | None) -> bool:
    """Python 3.11 wraps a Ctrl-C into a RuntimeError when it comes while a class is made, as at any import."""
    return error is not None and (isinstance(error, KeyboardInterrupt) or is_interrupt(error.__cause__))


def exit_with(code: int, line: str = "") -> NoReturn:
    with suppress(OSError):
        sys.stderr.write(f"{line}\n" if line else "")
        sys.stderr.flush()
    sys.exit(code)


def repeat_interrupt(lost: "sys.UnraisableHookArgs") -> None:
    """A Ctrl-C that came while Python called a callback of its own, as it does when it imports, comes once more."""
    if lost.exc_type is KeyboardInterrupt:
        main = threading.main_thread().ident or 0
        threading.Timer(AGAIN_SECONDS, signal.pthread_kill, [main, signal.SIGINT]).start()
    else:
        sys.__unraisablehook__(lost)


def without_broken_pipes(out: TextIO) -> TextIO:
    """The same output as ``Stdout``, where it is a file or a pipe."""
    if not isinstance(out, TextIOWrapper):
        return out
    lines, through = out.line_buffering, out.write_through
    return Stdout(out.buffer, encoding=out.encoding, errors=out.errors, line_buffering=lines, write_through=through)


def discard(descriptor: int) -> None:
    """What is still written there goes nowhere."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)


def describe_error(error: BaseException) -> str:
    """What is wrong and what to do, of errors that no programmer has to see; empty of all others.

    So it is where a statement is wrong, which is for a programmer.
    """
    # Late: the first milliseconds of a program are those in which nothing else catches a Ctrl-C.
    import psycopg
    from django import db
    from django.core.exceptions import ImproperlyConfigured

    if isinstance(error, (ExplainedError, ImproperlyConfigured)):
        return str(error)
    if not isinstance(error, (db.Error, psycopg.Error)):
        return ""
    code = getattr(error.__cause__ or error, "sqlstate", None) or ""
    message, first_line = " ".join(str(error).split()), str(error).strip().partition("\n")[0]
    if code in NOT_MIGRATED:
        return f"PostgreSQL lacks what this code needs ({first_line}). Run `manage.py migrate`."
    if code == NOT_ALLOWED:
        return f"PostgreSQL refuses: {first_line}. Grant its role that right, or name another role in DATABASE_URL."
    if code.startswith(REFUSED):
        return f"PostgreSQL stopped: {message}"
    lost = (db.OperationalError, db.InterfaceError, psycopg.OperationalError, psycopg.InterfaceError)
    from vigilpay import env

    advice = OTHER_SERVER if env.text("DATABASE_URL", "") else PRIVATE_SERVER
    return f"PostgreSQL does not answer: {message} {advice}" if isinstance(error, lost) else ""
