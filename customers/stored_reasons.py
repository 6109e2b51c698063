"""The reasons that were stored with a customer's score, in the language of whoever asks."""

from django.utils.translation import gettext

from customers.ml_service.reason_codes import BY_NUMBER, OTHER_FACTORS, RAISES
from customers.ml_service.reasons import PROTECTED, Reason, in_words
from customers.ml_service.schema import FEATURES
from customers.models import Customer

Choice = tuple[str, str]


def reasons_of(customer: Customer) -> tuple[Reason, ...]:
    """First things first; nothing while the score is not that of the row's present fields."""
    if customer.stale_since is not None or not customer.reason_codes or customer.contributions is None:
        return ()
    values = {field: getattr(customer, field) for field in FEATURES}
    return in_words(customer.reason_codes, customer.contributions, values, gettext)


def choices() -> list[Choice]:
    """What raises a risk, by the number of its code: the reasons worth asking for."""
    return [
        (str(number), gettext(reason.label).replace("%(value)s", "…"))
        for number, reason in BY_NUMBER.items()
        if reason.direction == RAISES and reason.part not in (*PROTECTED, OTHER_FACTORS)
    ]
