"""Scores: one, many, a handful, each beside `predict_proba`; and whether they are the same."""

from collections.abc import Iterator, Sequence
from itertools import product

import numpy as np
from numpy.typing import NDArray

from customers.ml_service import FEATURES, predict_churn
from customers.ml_service.forest import engine
from customers.ml_service.forest.encoding import Row, encode_rows
from tests.benchmarks.model.rounds import p50, rows_per_second, seconds, speedup, within
from tests.benchmarks.model.sizes import Sizes
from tests.benchmarks.model.subject import Subject
from tests.benchmarks.report import Figure, microseconds
from tests.customers.ml_service.forests import on_the_edges

ONE, BATCH, WHAT_IFS, PARITY = 400, 2, 40, 1e-12
PRODUCTS, BALANCES = (1, 2, 3, 4), (0.0, 25_000.0, 50_000.0, 100_000.0, 150_000.0)


def measure(subject: Subject, sizes: Sizes) -> Iterator[Figure]:
    yield one_score(subject, sizes)
    yield batch(subject, sizes)
    yield what_ifs(subject, sizes)
    yield parity(subject, sizes)


def one_score(subject: Subject, sizes: Sizes) -> Figure:
    # More of ours: they take a hundredth of the time, and the first few find the caches full of scikit-learn.
    customers, rows = subject.customers(sizes.warm_singles), subject.one_by_one(sizes.singles)
    return speedup(
        "one score, p50: predict_churn / predict_proba",
        sizes.rounds,
        lambda: p50(predict_churn, customers),
        lambda: p50(subject.by_scikit_learn, rows),
        microseconds,
        at_least=ONE,
    )


def batch(subject: Subject, sizes: Sizes) -> Figure:
    """Ours reads what psycopg returns; scikit-learn is given the numbers."""
    n_rows = len(subject.rows)
    return speedup(
        f"{n_rows:,} scores, encoding included / predict_proba",
        sizes.rounds,
        lambda: seconds(subject.forest.predict_tuples, subject.rows) / n_rows,
        lambda: seconds(subject.by_scikit_learn, subject.numbers) / n_rows,
        rows_per_second,
        at_least=BATCH,
    )


def what_ifs(subject: Subject, sizes: Sizes) -> Figure:
    candidates = [variants(row) for row in subject.rows[: sizes.singles]]
    encoded = [encode_rows(rows, subject.forest.encodings) for rows in candidates]
    return speedup(
        f"{len(candidates[0])} what-ifs of a customer, p50 / predict_proba",
        sizes.rounds,
        lambda: p50(subject.forest.predict_tuples, candidates),
        lambda: p50(subject.by_scikit_learn, encoded),
        microseconds,
        at_least=WHAT_IFS,
    )


def variants(row: Row) -> list[Row]:
    """One customer with every number of products and every balance that is tried."""
    customer = dict(zip(FEATURES, row, strict=True))
    return [
        tuple({**customer, "num_of_products": products, "balance": balance}.values())
        for products, balance in product(PRODUCTS, BALANCES)
    ]


def parity(subject: Subject, sizes: Sizes) -> Figure:
    """On ordinary rows and the hardest, by the kernel for many rows; on some of them by the one for a single row."""
    rows = np.concatenate([subject.numbers, on_the_edges(subject.model, subject.numbers, sizes.edges)])
    matrix = rows.astype(np.float32)
    expected = subject.by_scikit_learn(rows)
    singles = matrix[:: max(1, len(matrix) // 1_000)].tolist()
    differences = [
        largest(engine.score_rows(subject.forest.flat, matrix), expected),
        largest([engine.score_row(subject.forest.flat, row) for row in singles], subject.by_scikit_learn(singles)),
    ]
    return within(f"largest difference from predict_proba on {len(rows):,} rows", max(differences), PARITY)


def largest(ours: Sequence[float] | NDArray[np.float64], expected: NDArray[np.float64]) -> float:
    return float(np.abs(np.asarray(ours) - expected).max())
