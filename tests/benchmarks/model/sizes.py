"""How much is measured: in earnest, or just enough to see that figures come out."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    rows: int = 10_000
    fitted_rows: int = 8_000  # of the reference forest
    rounds: int = 7
    singles: int = 50  # calls for one row, or a few, in each round
    warm_singles: int = 1_000  # the same, where a call takes microseconds
    batch: int = 512  # rows that a drain explains at once
    shap_rows: int = 150
    edges: int | None = None  # nodes whose thresholds are tried, None for all
    cold_rounds: int = 5


FULL = Sizes()
QUICK = Sizes(rows=600, fitted_rows=600, rounds=1, singles=3, warm_singles=30, shap_rows=10, edges=300, cold_rounds=1)
