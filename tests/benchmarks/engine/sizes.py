"""How much is measured: in earnest, or just enough to see that figures come out."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Sizes:
    rows: int = 100_000
    portfolios: tuple[int, ...] = (10_000, 100_000, 1_000_000)
    portfolio_rounds: tuple[int, ...] = (5, 3, 1)
    editors: int = 8
    # Many short rounds: a noisy neighbour spoils few of them, and few edits meet a customer who is still stale from an
    # edit before, whom a worker would have scored long since.
    rounds: int = 13
    side_rounds: int = 4  # of what is only told, not judged
    round_seconds: float = 2.0
    bulk_rounds: int = 5
    idle_samples: int = 40
    rate: float = 500.0
    steady_seconds: float = 8.0
    drain_rounds: int = 3
    naive_rows: int = 600
    shadow_rounds: int = 5
    shadow_samples: int = 12
    promotions: int = 1


FULL = Sizes()
QUICK = Sizes(
    rows=2_000,
    portfolios=(1_000, 2_000),
    portfolio_rounds=(1, 1),
    editors=2,
    rounds=1,
    side_rounds=1,
    round_seconds=0.3,
    bulk_rounds=1,
    idle_samples=1,
    rate=50.0,
    steady_seconds=0.5,
    drain_rounds=1,
    naive_rows=20,
    shadow_rounds=1,
    shadow_samples=1,
)
