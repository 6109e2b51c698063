"""Days, and numbers of them, as arguments of commands."""

import argparse
from datetime import date

from django.utils import timezone


def day(text: str) -> date:
    """A day such as 2026-03-31."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text} is not a date such as 2026-03-31") from None


def past_day(text: str) -> date:
    """A day up to today."""
    found = day(text)
    if found > timezone.localdate():
        raise argparse.ArgumentTypeError(f"{text} is in the future")
    return found
