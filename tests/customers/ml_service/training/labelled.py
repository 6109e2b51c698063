"""Generated customers of whom it is known whether they left. Nothing real in here."""

from customers.ml_service.files.golden import generate_rows
from customers.ml_service.training import TrainingData
from tests.customers.ml_service.forests import left


def labelled(n_rows: int = 300, *, seed: int = 8, **others) -> TrainingData:
    rows = generate_rows(n_rows, seed)
    return TrainingData(rows, left(rows), list(others.items()))
