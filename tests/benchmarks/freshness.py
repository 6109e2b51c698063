"""How long a stored score lags behind an edit: ours, and the same loop on django-q2's stock PostgreSQL broker.

``make bench-freshness``. The lag runs from the commit of an edit to the moment another session sees the new score:
idle (no edit for longer than a drain holds the lease) and at a steady rate. Ratios hold on a noisy machine, single
times don't: the plain commit, of the same UPDATE on a table without our triggers, is measured in the same run.
"""

import argparse
import os
import sys
from collections.abc import Iterator

from tests.benchmarks.lags import Lags, django_edit, idle, per_thread, plain_commits, sql_edits, steady
from tests.benchmarks.setting import STOCK_BROKER, scoring_cluster, started_django
from tests.databases import scratch_database

CUSTOMERS = 10_000


def measure(url: str, samples: int, rate: float, seconds: float) -> Iterator[Lags]:
    yield plain_commits(url, samples * 5)
    with scoring_cluster(url):
        yield idle("idle, Django save, ours", url, django_edit, samples)
        yield idle("idle, plain SQL, ours", url, sql_edits(url), samples)
        yield steady(f"{rate:.0f} edits/s, Django save, ours", url, django_edit, rate, seconds)
        yield steady(f"{rate:.0f} edits/s, plain SQL, ours", url, per_thread(lambda: sql_edits(url)), rate, seconds)
    with scoring_cluster(url, **STOCK_BROKER):
        yield idle("idle, Django save, stock broker", url, django_edit, samples)
        yield steady(f"{rate:.0f} edits/s, Django save, stock broker", url, django_edit, rate, seconds)


def report(lags: dict[str, Lags]) -> str:
    """The figures that were to be reached, as ratios."""
    plain = lags["plain commit of the same UPDATE, no triggers"].p50
    ours, stock = lags["idle, Django save, ours"].p50, lags["idle, Django save, stock broker"].p50
    sql = lags["idle, plain SQL, ours"].p50
    budget = 4 * plain + 0.005
    return (
        f"idle p50, Django save: {ours / budget:.2f} of the budget (4 x plain commit + 5 ms = {budget * 1000:.1f} ms)\n"
        f"idle p50, plain SQL:   {sql / budget:.2f} of the same budget\n"
        f"stock broker / ours, idle p50: {stock / ours:.1f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=100, help="idle edits of each kind")
    parser.add_argument("--rate", type=float, default=200.0, help="edits per second when not idle")
    parser.add_argument("--seconds", type=float, default=10.0, help="how long not idle")
    options = parser.parse_args()
    with scratch_database("vigilpay_bench") as url, started_django(url, CUSTOMERS):
        sys.stdout.write(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, {CUSTOMERS} customers\n")
        sys.stdout.write(f"{'from commit to current score':<44}{'p50 ms':>10}{'p99 ms':>10}{'edits':>8}\n")
        found: dict[str, Lags] = {}
        for lags in measure(url, options.samples, options.rate, options.seconds):
            found[lags.name] = lags
            sys.stdout.write(f"{lags}\n")
            sys.stdout.flush()
        sys.stdout.write(f"{report(found)}\n")


if __name__ == "__main__":
    main()
