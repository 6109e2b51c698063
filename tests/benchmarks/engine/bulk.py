"""What our triggers cost one statement that edits everybody: the same UPDATE with them and without, in turn."""

import statistics
from collections.abc import Iterator
from time import perf_counter

from tests.benchmarks.engine.report import Figure, milliseconds
from tests.benchmarks.engine.sizes import Sizes
from tests.benchmarks.engine.table import EDIT_ALL, Table, customer_table

GOAL = 2.0


def measure(url: str, sizes: Sizes) -> Iterator[Figure]:
    times: dict[bool, list[float]] = {False: [], True: []}
    with customer_table(url) as table:
        rows = table.value("SELECT count(*) FROM customers_customer")
        for _ in range(sizes.bulk_rounds):
            for enabled in times:
                times[enabled].append(timed(table, triggers=enabled))
        table.make_current()
    without, ours = (statistics.median(times[enabled]) for enabled in (False, True))
    what = f"bulk update of {rows:,} rows, all triggers / none"
    yield Figure(what, milliseconds(ours), milliseconds(without), ours / without, at_most=GOAL)


def timed(table: Table, *, triggers: bool) -> float:
    """Seconds for one UPDATE of one behavioural column, on a table as good as new, filled to its fillfactor."""
    table.make_current()
    table.settle(rewrite=True)
    table.triggers(enabled=triggers)
    began = perf_counter()
    table.connection.execute(EDIT_ALL)
    return perf_counter() - began
