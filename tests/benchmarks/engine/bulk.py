"""What our triggers cost one statement that edits all customers: the same UPDATE with them and without, in turn."""

from collections.abc import Iterator
from time import perf_counter

from tests.benchmarks.engine.sizes import Sizes
from tests.benchmarks.engine.table import EDIT_ALL, Table, customer_table
from tests.benchmarks.report import Figure, milliseconds, of_rounds

GOAL = 2.0
# Without room on its page a new row version is written to every index, triggers or not, which hides what ours cost:
# with room for some it is as in a table that lives, with room for all it is the hardest.
JUDGED_FILLFACTOR = 70
FILLFACTORS = (JUDGED_FILLFACTOR, 100, 50)


def measure(url: str, sizes: Sizes) -> Iterator[Figure]:
    with customer_table(url) as table:
        for fillfactor in FILLFACTORS:
            judged = fillfactor == JUDGED_FILLFACTOR
            rounds = sizes.bulk_rounds if judged else min(sizes.bulk_rounds, sizes.side_rounds)
            with table.filled_to(fillfactor):
                yield figure(table, fillfactor, rounds, at_most=GOAL if judged else None)
        table.make_current()
        table.settle(rewrite=True)


def figure(table: Table, fillfactor: int, rounds: int, at_most: float | None) -> Figure:
    rows = table.value("SELECT count(*) FROM customers_customer")
    times: dict[bool, list[float]] = {False: [], True: []}
    for _ in range(rounds):
        for enabled, seconds in times.items():
            seconds.append(timed(table, triggers=enabled))
    indent = "" if at_most else "  "
    what = f"{indent}bulk update of {rows:,} rows, fillfactor {fillfactor}, triggers / none"
    return of_rounds(what, times[True], times[False], milliseconds, at_most=at_most)


def timed(table: Table, *, triggers: bool) -> float:
    """Seconds for one UPDATE of one behavioural column, on a table as good as new."""
    table.make_current()
    table.settle(rewrite=True)
    table.triggers(enabled=triggers)
    began = perf_counter()
    table.connection.execute(EDIT_ALL)
    return perf_counter() - began
