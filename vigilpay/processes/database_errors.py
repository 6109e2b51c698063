"""PostgreSQL's errors without the values of a row, wherever they are shown, stored or logged.

A message of the server ends in DETAIL, HINT, CONTEXT and an excerpt of the statement: "Failing row contains (...)". The
driver puts all of it into the text of an exception, and so it comes into logs, stored results of jobs and reports. Here
the text is cut to the first sentence where the exception is made, which is before any code can pass it on.
``error.diag`` still has all parts for code that asks for one.
"""

from typing import TYPE_CHECKING

import psycopg

if TYPE_CHECKING:
    from psycopg.pq.abc import PGresult

_with_all_parts = psycopg.errors.error_from_result


def primary_only(result: "PGresult", encoding: str = "utf-8") -> psycopg.Error:
    """The driver's exception for a failed statement, with PostgreSQL's primary message as its only text."""
    error = _with_all_parts(result, encoding=encoding)
    if primary := error.diag.message_primary:
        error.args = (primary,)
    return error


def leave_details_out() -> None:
    """From now on, in this process: for cursors, COPY, commits and connections without Django alike."""
    psycopg.errors.error_from_result = primary_only
