"""What a customer's value at risk comes to, computed anew, in Python's own decimal numbers."""

from decimal import ROUND_HALF_UP, Decimal


def value_at_risk(balance: Decimal, score: float) -> Decimal:
    """As the scorer's statement rounds it: PostgreSQL takes a score to numeric with 15 digits."""
    return (max(balance, Decimal(0)) * Decimal(f"{score:.15g}")).quantize(Decimal("0.01"), ROUND_HALF_UP)
