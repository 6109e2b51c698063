"""Is there a model that may be used, and do the settings make sense together?"""

from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning, register  # noqa: A004  Django's own name

from customers.ml_service import ModelError, current_forest


@register()
def model_is_usable(**kwargs: Any) -> list[CheckMessage]:
    """A warning, not an error: without a model edits must go on, and rows simply stay stale."""
    try:
        current_forest()
    except ModelError as error:
        return [Warning(str(error), hint="Until this is mended no customer is scored.", id="customers.W001")]
    return []


@register()
def drift_warns_before_it_alarms(**kwargs: Any) -> list[CheckMessage]:
    """Or every shift would be a major one, and none below it would be told."""
    if settings.DRIFT_WARNING <= settings.DRIFT_ALARM:
        return []
    return [
        Error(
            f"VIGILPAY_DRIFT_WARNING ({settings.DRIFT_WARNING:g}) is above VIGILPAY_DRIFT_ALARM "
            f"({settings.DRIFT_ALARM:g}).",
            hint="0.1 and 0.25 are usual.",
            id="customers.E001",
        )
    ]
