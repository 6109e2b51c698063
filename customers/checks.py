"""Is there a model that may be used?"""

from typing import Any

from django.core.checks import CheckMessage, Warning, register  # noqa: A004  Django's own name

from customers.ml_service import ModelError, current_forest


@register()
def model_is_usable(**kwargs: Any) -> list[CheckMessage]:
    """A warning, not an error: without a model edits must go on, and rows simply stay stale."""
    try:
        current_forest()
    except ModelError as error:
        return [Warning(str(error), hint="Until this is mended no customer is scored.", id="customers.W001")]
    return []
