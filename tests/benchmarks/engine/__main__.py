"""What the event engine costs and how fast it is, as ratios measured in one run; exits 1 when a goal is missed.

``make bench-engine``. Rounds of what is compared take turns, each on a settled table; figures are medians. The goals
are meant for an otherwise quiet machine: the load that was found at the start is printed on top.
"""

import argparse
import dataclasses
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from time import perf_counter

from tests.benchmarks.engine import bulk, drain, editors, latency
from tests.benchmarks.engine.report import HEADING, Figure, all_held, verdict
from tests.benchmarks.engine.sizes import FULL, QUICK, Sizes
from tests.benchmarks.setting import started_django
from tests.databases import scratch_database

# The last one changes how many customers there are.
MEASUREMENTS: Mapping[str, Callable[[str, Sizes], Iterator[Figure]]] = {
    "editors": editors.measure,
    "bulk": bulk.measure,
    "latency": latency.measure,
    "drain": drain.measure,
    "sizes": drain.measure_sizes,
}


def main() -> int:
    options = parse()
    sizes = QUICK if options.quick else FULL
    if options.rows:
        sizes = dataclasses.replace(sizes, rows=options.rows)
    say(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, {sizes.rows:,} customers")
    say(HEADING)
    with scratch_database(f"vigilpay_bench_{os.getpid()}") as url, started_django(url, sizes.rows):
        figures = [figure for name in options.only or MEASUREMENTS for figure in measured(name, url, sizes)]
    say(verdict(figures))
    return 0 if all_held(figures) else 1


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.benchmarks.engine", description=__doc__)
    parser.add_argument("--only", action="append", choices=MEASUREMENTS, help="this measurement, may be repeated")
    parser.add_argument("--rows", type=int, help=f"customers, instead of {FULL.rows:,}")
    parser.add_argument("--quick", action="store_true", help="see that figures come out; they mean nothing")
    return parser.parse_args()


def measured(name: str, url: str, sizes: Sizes) -> Iterator[Figure]:
    """Figures as they come out, each printed at once."""
    from customers import releases

    releases.active_model()  # scores can only be current by some model
    began = perf_counter()
    for figure in MEASUREMENTS[name](url, sizes):
        say(str(figure))
        yield figure
    say(f"  ({name}: {perf_counter() - began:.0f} s, load now {os.getloadavg()[0]:.1f})")


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
