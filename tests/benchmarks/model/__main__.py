"""Scores and explanations of the shipped model beside scikit-learn and shap, in one run; exits 1 when a goal is missed.

``make bench-model``. Rounds of what is compared take turns, all in this process and on one core; figures are medians,
a ratio is how many times as fast ours is. The load that was found at the start is printed on top.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Mapping

from tests.benchmarks.model import cold, explanations, scores
from tests.benchmarks.model.sizes import FULL, QUICK, Sizes
from tests.benchmarks.model.subject import Subject, shipped
from tests.benchmarks.report import HEADING, Figure, concluded, printed, say

MEASUREMENTS: Mapping[str, Callable[[Subject, Sizes], Iterator[Figure]]] = {
    "scores": scores.measure,
    "explanations": explanations.measure,
    "cold": cold.measure,
}


def main() -> int:
    options = parse()
    sizes = QUICK if options.quick else FULL
    subject = shipped(sizes.rows)
    nodes = len(subject.forest.flat.nodes)
    say(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores, {subject.forest.n_trees} trees, {nodes:,} nodes")
    say(HEADING)
    measured = [printed(name, MEASUREMENTS[name](subject, sizes)) for name in options.only or MEASUREMENTS]
    return concluded([figure for figures in measured for figure in figures])


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.benchmarks.model", description=__doc__)
    parser.add_argument("--only", action="append", choices=MEASUREMENTS, help="this measurement, may be repeated")
    parser.add_argument("--quick", action="store_true", help="see that figures come out; they mean nothing")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
