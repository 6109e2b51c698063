"""Explanations: one and many, beside `shap.TreeExplainer`; whether they add up and are the same."""

import warnings
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from customers.ml_service import Explained, explain
from tests.benchmarks.model.rounds import p50, rows_per_second, seconds, speedup, within
from tests.benchmarks.model.sizes import Sizes
from tests.benchmarks.model.subject import Subject
from tests.benchmarks.report import Figure, microseconds

ONE, BATCH, TOLERANCE = 5, 60, 1e-7

Shap = Callable[[NDArray[np.float32]], NDArray[Any]]


def measure(subject: Subject, sizes: Sizes) -> Iterator[Figure]:
    by_shap = tree_explainer(subject)
    yield one_explanation(subject, by_shap, sizes)
    yield batches(subject, by_shap, sizes)
    yield from differences(subject, by_shap, sizes)


def tree_explainer(subject: Subject) -> Shap:
    """The path-dependent explainer, made once, as ours is."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # shap's own imports
        try:
            import shap
        except ImportError:
            raise SystemExit("shap is not installed: `make setup-dev`") from None
    return partial(shap.TreeExplainer(subject.model).shap_values, check_additivity=False)


def one_explanation(subject: Subject, by_shap: Shap, sizes: Sizes) -> Figure:
    customers, rows = subject.customers(sizes.singles), subject.one_by_one(sizes.singles)
    return speedup(
        "one explanation, p50: explain / shap",
        sizes.rounds,
        lambda: p50(explain, customers),
        lambda: p50(by_shap, rows),
        microseconds,
        at_least=ONE,
    )


def batches(subject: Subject, by_shap: Shap, sizes: Sizes) -> Figure:
    some = subject.numbers[: sizes.shap_rows]
    return speedup(
        f"explanations in batches of {sizes.batch}, with scores / shap",
        sizes.rounds,
        lambda: explain_all(subject, sizes.batch) / len(subject.rows),
        lambda: seconds(by_shap, some) / len(some),
        rows_per_second,
        at_least=BATCH,
    )


def explain_all(subject: Subject, batch: int) -> float:
    """As a drain does: from what psycopg returns to the arrays that are stored."""
    starts = range(0, len(subject.rows), batch)
    return sum(seconds(subject.forest.explain_matrix, subject.rows[start : start + batch]) for start in starts)


def differences(subject: Subject, by_shap: Shap, sizes: Sizes) -> Iterator[Figure]:
    """Of the kernel for many rows and of the one for a single row."""
    rows, forest = subject.rows[: sizes.shap_rows], subject.forest
    expected = by_shap(subject.numbers[: len(rows)])[:, :, subject.churn_column]
    ways = [forest.explain_matrix(rows), joined([forest.explain_matrix([row]) for row in rows])]
    apart = max(np.abs(way.contributions - expected).max() for way in ways)
    yield within("largest difference from shap", apart, TOLERANCE)
    ways.append(forest.explain_matrix(subject.rows))
    sums = [forest.base_value + way.contributions.sum(axis=1) for way in ways]
    missing = max(np.abs(total - way.scores).max() for total, way in zip(sums, ways, strict=True))
    yield within("contributions and base value add up to the score", missing, TOLERANCE)


def joined(parts: list[Explained]) -> Explained:
    return Explained(*(np.concatenate(arrays) for arrays in zip(*parts, strict=True)))
