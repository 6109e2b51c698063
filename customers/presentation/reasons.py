"""The reasons that were stored with a customer's score, in words."""

from collections.abc import Sequence

from django.conf import settings
from django.db.models import Q

from customers.ml_service.messages import NO_BREAK
from customers.ml_service.reasons.reason_codes import BY_NUMBER, OTHER_FACTORS, PART_NAMES, RAISES, format_topic
from customers.ml_service.reasons.reasons import Reason, by_part, numbered_reasons
from customers.models import Customer
from customers.presentation.numbers import format_money

Choice = tuple[str, str]


def reasons_of(customer: Customer) -> tuple[Reason, ...]:
    """First things first; nothing while the score is not that of the row's present fields.

    Codes of a field that was not protected then are kept back once it is, before the customer is scored anew.
    """
    if customer.stale_since is not None or not customer.reason_codes or customer.contributions is None:
        return ()
    return numbered_reasons(
        customer.reason_codes,
        customer.contributions,
        customer.features(),
        protected=settings.PROTECTED_FIELDS,
        format_money=format_money,
    )


def has_main_reason(number: int) -> Q:
    """A condition on customers: those for whom this raises the risk most. Of a stale score no reason is shown: it was
    that of other fields."""
    return Q(reason_codes__0=number, stale_since=None)


def may_be_shown(number: int) -> bool:
    """Whether staff may see the reason of this code: not when it names a field of ``VIGILPAY_PROTECTED_FIELDS``."""
    return BY_NUMBER[number].part not in settings.PROTECTED_FIELDS


def main_numbers() -> list[int]:
    """The codes of what raises a risk, as far as staff may see them: the reasons worth asking for."""
    return [
        number
        for number, reason in BY_NUMBER.items()
        if reason.direction == RAISES and reason.part != OTHER_FACTORS and may_be_shown(number)
    ]


def ranked_parts(contributions: Sequence[float]) -> list[tuple[str, float]]:
    """What each part adds to a score, the weightiest first; protected fields are summed."""
    parts = by_part(contributions, protected=settings.PROTECTED_FIELDS)
    return sorted(parts.items(), key=lambda part: -abs(part[1]))


def format_contributions(contributions: Sequence[float]) -> str:
    """``age +12.3, balance -2.0 points``: the weightiest first."""
    parts = ", ".join(f"{PART_NAMES[name]} {100 * share:+.1f}" for name, share in ranked_parts(contributions))
    return f"{parts}{NO_BREAK}points"


def choices() -> list[Choice]:
    """The reasons worth asking for, by the numbers of their codes."""
    return [(str(number), format_topic(BY_NUMBER[number], format_money)) for number in main_numbers()]


def main_reasons() -> dict[int, str]:
    """By the number of its code what a main reason is called in one phrase, as far as staff may see it."""
    return {number: format_topic(it, format_money) for number, it in BY_NUMBER.items() if may_be_shown(number)}
