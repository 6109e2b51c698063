"""Days, and moments, as arguments of commands."""

import argparse
from datetime import date, datetime

from django.utils import timezone

from customers.history.as_of import NotKeptError
from customers.presentation.durations import format_time


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


def past_moment(text: str) -> datetime:
    """A day, which is its first moment, or a time such as 2026-03-31T14:05, in the bank's zone unless it names one."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"{text} is not a date or time such as 2026-03-31 or 2026-03-31T14:05"
        ) from None
    moment = timezone.make_aware(found) if timezone.is_naive(found) else found
    if moment > timezone.now():
        raise argparse.ArgumentTypeError(f"{text} is in the future")
    return moment


def describe_not_kept(error: NotKeptError) -> str:
    """Why there is no list of that moment, and what to do."""
    if error.complete_since is None:
        return "It is not known since when departures are recorded. Run manage.py prune_history, which notes it."
    since = format_time(error.complete_since, seconds=True)
    return (
        f"How customers stood at {format_time(error.moment, seconds=True)} is not known: the history is complete from "
        f"{since} on. Choose a later time. VIGILPAY_HISTORY_DAYS says how long history is kept."
    )
