"""Whether this machine can score with the active model: logged when that changes."""

import logging

from customers.conditions import Condition
from customers.ml_service import ModelError

log = logging.getLogger("vigilpay.events")

# Made here, before django-q2 forks: whichever of a cluster's processes notices it, it is logged once.
unusable = Condition(log)


def report_unusable(error: ModelError) -> None:
    """A piece of work has failed for want of a model."""
    unusable.begin("No customer can be scored, edits go on: %s", error, level=logging.ERROR)


def report_usable() -> None:
    """A score was given."""
    if unusable.is_on:
        unusable.end("Customers are scored again, after %.0f s.", unusable.seconds)
