"""Scores and explanations beside scikit-learn and shap, in one run; exits 1 when a goal is missed.

``make bench-model``. Rounds of what is compared take turns, all in this process and on one core; figures are medians,
a ratio is how many times as fast ours is. The goals hold for a forest as large as they were set for; speeds of the
shipped one, which is smaller and faster by all ways, are told. The load that was found at the start is printed on top.
"""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.benchmarks.model import cold, explanations, scores
from tests.benchmarks.model.sizes import FULL, QUICK, Sizes
from tests.benchmarks.model.subject import Subject, reference, shipped
from tests.benchmarks.report import HEADING, Figure, concluded, printed, say

MEASUREMENTS: Mapping[str, Callable[[Subject, Sizes], Iterator[Figure]]] = {
    "scores": scores.measure,
    "explanations": explanations.measure,
    "cold": cold.measure,
}


def main() -> int:
    options = parse()
    sizes = QUICK if options.quick else FULL
    names = options.only or list(MEASUREMENTS)
    say(f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    say(HEADING)
    with TemporaryDirectory() as folder:
        figures = measured("reference", reference(sizes.rows, sizes.fitted_rows, Path(folder)), names, sizes)
    figures += measured("shipped", shipped(sizes.rows), names, sizes, judged=False)
    return concluded(figures)


def measured(what: str, subject: Subject, names: Sequence[str], sizes: Sizes, *, judged: bool = True) -> list[Figure]:
    """All figures of one forest. Not judged, they have no goals of speed; what has to be equal still has to be."""
    nodes = len(subject.forest.flat.nodes)
    say(f"the {what} forest: {subject.forest.n_trees} trees, {nodes:,} nodes")
    found = []
    for name in names:
        figures = MEASUREMENTS[name](subject, sizes)
        found += printed(name, figures if judged else (replace(figure, at_least=None) for figure in figures))
    return found


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tests.benchmarks.model", description=__doc__)
    parser.add_argument("--only", action="append", choices=MEASUREMENTS, help="this measurement, may be repeated")
    parser.add_argument("--quick", action="store_true", help="see that figures come out; they mean nothing")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
