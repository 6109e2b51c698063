"""Pages that staff open, and what the server spends on them: in all, and in statements."""

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

LIST = "/admin/customers/customer/"
STOCK_LIST = "/stock/customers/customer/"


@dataclass
class Visit:
    """One request: seconds in all and in SQL, and whether a page came."""

    seconds: float
    sql_seconds: float
    statements: int
    is_answered: bool


@dataclass
class Stopwatch:
    """An execute wrapper of Django that adds up what statements take."""

    seconds: float = 0.0
    statements: int = 0
    longest: list[tuple[float, str]] = field(default_factory=list)

    def __call__(self, execute: Callable[..., Any], sql: str, params: Any, many: bool, context: Any) -> Any:
        began = perf_counter()
        try:
            return execute(sql, params, many, context)
        finally:
            spent = perf_counter() - began
            self.seconds += spent
            self.statements += 1
            self.longest = sorted([*self.longest, (spent, sql)], reverse=True)[:3]


def visit(client: Any, address: str, query: Mapping[str, str]) -> Visit:
    """As the browser asks; the page is rendered whole. A redirect is no answer."""
    from django.db import connection

    watch = Stopwatch()
    with connection.execute_wrapper(watch):
        began = perf_counter()
        response = client.get(address, query)
        seconds = perf_counter() - began
    return Visit(seconds, watch.seconds, watch.statements, response.status_code == 200)


def median_visit(visits: list[Visit]) -> Visit:
    """Medians of each; answered only if all were."""
    return Visit(
        statistics.median(it.seconds for it in visits),
        statistics.median(it.sql_seconds for it in visits),
        round(statistics.median(it.statements for it in visits)),
        all(it.is_answered for it in visits),
    )
