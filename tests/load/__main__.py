"""``make load``: a minute of everything at once, on loopback; exits 1 when a goal is missed.

The web server runs with the options of ``deploy/vigilpay-web.service``, the worker under its supervisor. Goals: no call
fails, and the second half is no slower and takes no more memory than the first.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from time import monotonic, sleep

from tests.benchmarks.report import HEADING, Figure, concluded, milliseconds, say
from tests.benchmarks.setting import customers, scoring_cluster, started_django
from tests.databases import scratch_database
from tests.load.visitors import Calls, Visitors
from tests.web_server import Site, running_site

CUSTOMERS = 5_000
MB = 1 << 20
# What counts as flat: two quarters of one run differ by so much on their own.
P99_RATIO, MEMORY_RATIO = 2.0, 1.25
WARM_UP_SHARE = 0.25


def main() -> int:
    options = parse()
    machine = f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"
    say(f"{machine}; {options.seconds:g} s, {options.slow * 2} slow clients")
    with (
        tempfile.TemporaryDirectory() as folder,
        scratch_database(f"vigilpay_load_{os.getpid()}") as url,
        started_django(url, options.customers),
    ):
        session = session_of_a_user()
        with scoring_cluster(url), running_site(url, Path(folder) / "web.log") as site:
            figures = list(under_load(site, url, session, options))
        say(HEADING)
        for figure in figures:
            say(str(figure))
        say(f"load at the end {os.getloadavg()[0]:.1f}")
        return concluded(figures)


def under_load(site: Site, url: str, session: str, options: argparse.Namespace) -> Iterator[Figure]:
    visitors = Visitors(site, url, session, customers(url))
    with visitors.at_work(programs=2, staff=1, editors=2, slow=options.slow):
        sleep(options.seconds * WARM_UP_SHARE)
        begin, half = monotonic(), options.seconds * (1 - WARM_UP_SHARE) / 2
        sleep(half)
        middle, early = monotonic(), site.memory_bytes()
        sleep(half)
        late = site.memory_bytes()
    say(ROW.format("kind", "calls", "errors", "p50", "p99", "p99 after"))
    for calls in visitors.calls.values():
        yield from judged(calls, begin, middle)
    yield Figure(
        "memory of the web server, end / middle",
        f"{late / MB:,.0f} MB",
        f"{early / MB:,.0f} MB",
        late / early,
        at_most=MEMORY_RATIO,
    )


ROW = "{:<16}{:>8}{:>8}{:>12}{:>12}{:>12}"


def judged(calls: Calls, begin: float, middle: float) -> Iterator[Figure]:
    before, after = calls.quantile(0.99, begin, middle), calls.quantile(0.99, middle)
    errors, number = len(calls.errors), len(calls.taken)
    told = (milliseconds(seconds) for seconds in (calls.quantile(0.5), before, after))
    say(ROW.format(calls.kind, f"{number:,}", errors, *told) + "".join(f"\n  {it}" for it in calls.errors[:3]))
    yield Figure(
        f"{calls.kind}, errors", f"{errors}", f"of {number:,}", float(errors) if number else float("nan"), at_most=0
    )
    yield Figure(
        f"{calls.kind}, p99 of the second half / of the first",
        milliseconds(after),
        milliseconds(before),
        after / before,
        at_most=P99_RATIO,
    )


def session_of_a_user() -> str:
    """The cookie of a user who may open every page."""
    from tests.staff import superuser

    return str(superuser("load").cookies["sessionid"].value)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.load", description=__doc__)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--slow", type=int, default=30, help="half requests, and as many unread answers")
    parser.add_argument("--customers", type=int, default=CUSTOMERS)
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
