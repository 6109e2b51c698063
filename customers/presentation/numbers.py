"""How numbers are written, with the words and signs that belong to them: the one place for each kind of number."""

from decimal import Decimal

from django.conf import settings

from customers.ml_service.messages import NO_BREAK, format_percent, format_points, format_signed

__all__ = ["format_amount", "format_count", "format_money", "format_percent", "format_points", "format_signed"]


def format_count(number: int, one: str, several: str) -> str:
    """``1 customer``, ``12,345 customers``."""
    return f"{number:,} {one if number == 1 else several}"


def format_amount(amount: Decimal | float, *, cents: bool = False) -> str:
    """``182,160`` or ``182,160.37``: where the heading of a column names the currency."""
    return f"{amount:,.2f}" if cents else f"{amount:,.0f}"


def format_money(amount: Decimal | float, *, cents: bool = False) -> str:
    """``EUR 182,160`` or ``EUR 182,160.37``, in the currency of ``VIGILPAY_CURRENCY``."""
    return f"{settings.CURRENCY}{NO_BREAK}{format_amount(amount, cents=cents)}"
