"""How times and durations are written: the one place that chooses units."""

from datetime import date, datetime
from typing import Literal

from django.utils import timezone

Style = Literal["rounded", "whole", "seconds"]


# Not strftime's, which are those of the machine's language.
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def format_day(day: date) -> str:
    """``25 Nov 2026``; of a moment, the day in the bank's zone."""
    at = timezone.localtime(day) if isinstance(day, datetime) else day
    return f"{at.day} {MONTHS[at.month - 1]} {at.year}"


def format_time(at: datetime, *, seconds: bool = False) -> str:
    """``25 Nov 2026, 23:09``, or ``25 Nov 2026, 23:09:41``, in the bank's zone: ``VIGILPAY_TIME_ZONE``."""
    local = timezone.localtime(at)
    return f"{format_day(local)}, {local:%H:%M:%S}" if seconds else f"{format_day(local)}, {local:%H:%M}"


def format_age(then: datetime, now: datetime, style: Style = "rounded") -> str:
    return format_duration((now - then).total_seconds(), style)


def format_duration(seconds: float, style: Style = "rounded") -> str:
    """Rounded: ``42 ms``, ``3 s``, ``90 min``, ``7 h``, ``12 days``: the largest unit of which there are two or more.

    Whole: ``0 s``, ``3 s``, ``1 h``, ``12 d``: the largest unit that is full, rounded down. Seconds: ``42 ms``,
    ``1,234.5 s``: to be compared.
    """
    seconds = max(seconds, 0.0)  # clocks of two machines differ
    if seconds < 1 and style != "whole":
        return f"{1000 * seconds:.0f} ms"
    if style == "seconds":
        return f"{seconds:,.1f} s"
    least, days = (1, "d") if style == "whole" else (2, "days")
    units = ((86_400, days), (3_600, "h"), (60, "min"), (1, "s"))
    size, name = next((unit for unit in units if seconds >= least * unit[0]), units[-1])
    return f"{int(seconds / size) if style == 'whole' else seconds / size:.0f} {name}"
