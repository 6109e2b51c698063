"""JSON views: ask, answer."""

import logging

from django.db import OperationalError
from django.http import HttpRequest, JsonResponse

from customers.responses import error, reads_only
from events.freshness import recent_freshness

log = logging.getLogger("vigilpay.events")


@reads_only
def freshness(request: HttpRequest) -> JsonResponse:
    """How fresh the scores are, as numbers."""
    try:
        return JsonResponse(recent_freshness().as_dict())
    except OperationalError as busy:
        log.warning("No answer on freshness: %s", busy)
        return error(503, "The database has no answer at this moment; try again.", **{"Retry-After": "5"})
