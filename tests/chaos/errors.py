"""Telling an outage, which an editor has to bear, from an edit that was refused."""

import re
import subprocess
from collections.abc import Iterator

import psycopg

# Connection exceptions; shut down, crashed, starting up.
LOST = re.compile(r"08...|57P0[1-5]")
REFUSALS = {"40001", "40P01"}
FULL = "too many clients"  # PostgreSQL works: that is no outage


class PsqlError(Exception):
    """psql gave up; the SQLSTATE that it printed, or none when it could not connect."""

    def __init__(self, done: "subprocess.CompletedProcess[str]") -> None:
        super().__init__(f"psql ended with {done.returncode}: {done.stderr.strip()}")
        found = re.search(r"(?:ERROR|FATAL|PANIC): +([0-9A-Z]{5}):", done.stderr)
        self.sqlstate = found[1] if found else None
        self.connection_lost = done.returncode == 2


def is_outage(error: BaseException) -> bool:
    """Whether the connection was lost, or could not be made: what became of the edit is unknown then."""
    return any(_is_lost(cause) for cause in causes(error))


def is_duplicate(error: BaseException) -> bool:
    return any(isinstance(cause, psycopg.errors.UniqueViolation) for cause in causes(error))


def is_refusal(error: BaseException) -> bool:
    """A serialization failure or a deadlock: nothing has happened, and the client is to try again."""
    return any(getattr(cause, "sqlstate", None) in REFUSALS for cause in causes(error))


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it was raised from."""
    while error is not None:
        yield error
        error = error.__cause__


def described(error: BaseException) -> str:
    states = [state for cause in causes(error) if (state := getattr(cause, "sqlstate", None))]
    return f"{type(error).__name__}{states[-1:] or ''}: {str(error).strip()}"


def _is_lost(error: BaseException) -> bool:
    if isinstance(error, PsqlError):
        return error.connection_lost or LOST.match(error.sqlstate or "") is not None
    if not isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
        return False
    # The client itself noticed: PostgreSQL had no chance to give a reason.
    return LOST.match(error.sqlstate) is not None if error.sqlstate else FULL not in str(error)
