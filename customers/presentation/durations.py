"""How long ago something was, as people say it."""

from datetime import datetime


def age_of(then: datetime, now: datetime) -> str:
    return in_words((now - then).total_seconds())


def in_words(seconds: float) -> str:
    """``42 ms``, ``3 s``, ``5 min``, ``7 h``, ``12 days``: the largest unit of which there is more than one."""
    seconds = max(seconds, 0.0)  # clocks of two machines differ
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    for unit, name in ((86_400, "days"), (3_600, "h"), (60, "min")):
        if seconds >= 2 * unit:
            return f"{seconds / unit:.0f} {name}"
    return f"{seconds:.0f} s"
