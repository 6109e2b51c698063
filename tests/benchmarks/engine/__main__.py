"""What the event engine costs and how fast it is, as ratios measured in one run; exits 1 when a goal is missed.

``make bench-engine``. Rounds of what is compared take turns, each on a settled table; figures are medians. The goals
are meant for an otherwise quiet machine: the load that was found at the start is printed on top.
"""

import argparse
import dataclasses
import os
import sys
from collections.abc import Callable, Iterator, Mapping

from tests.benchmarks.engine import bulk, drain, editors, latency, shadow
from tests.benchmarks.engine.sizes import FULL, QUICK, Sizes
from tests.benchmarks.report import HEADING, Figure, concluded, printed, say
from tests.benchmarks.setting import started_django
from tests.databases import scratch_database

# The last two change how many customers there are.
MEASUREMENTS: Mapping[str, Callable[[str, Sizes], Iterator[Figure]]] = {
    "editors": editors.measure,
    "bulk": bulk.measure,
    "latency": latency.measure,
    "drain": drain.measure,
    "shadow": shadow.measure,
    "sizes": drain.measure_sizes,
    "promotion": shadow.measure_promotion,
}


def main() -> int:
    options = parse()
    sizes = QUICK if options.quick else FULL
    if options.rows:
        sizes = dataclasses.replace(sizes, rows=options.rows)
    say(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, {sizes.rows:,} customers")
    say(HEADING)
    with scratch_database(f"vigilpay_bench_{os.getpid()}") as url, started_django(url, sizes.rows):
        figures = [
            figure for name in options.only or MEASUREMENTS for figure in printed(name, measured(name, url, sizes))
        ]
    return concluded(figures)


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.benchmarks.engine", description=__doc__)
    parser.add_argument("--only", action="append", choices=MEASUREMENTS, help="this measurement, may be repeated")
    parser.add_argument("--rows", type=int, help=f"customers, instead of {FULL.rows:,}")
    parser.add_argument("--quick", action="store_true", help="see that figures come out; they mean nothing")
    return parser.parse_args()


def measured(name: str, url: str, sizes: Sizes) -> Iterator[Figure]:
    from customers.releases import active

    active.active_model()  # scores can only be current by some model
    yield from MEASUREMENTS[name](url, sizes)


if __name__ == "__main__":
    sys.exit(main())
