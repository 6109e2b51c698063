"""JSON views: ask, answer."""

import logging
from dataclasses import asdict

from django.db import OperationalError
from django.http import HttpRequest, JsonResponse

from customers.api.responses import error, reads_only
from customers.conditions import Condition
from events.freshness.queries import recent_freshness

log = logging.getLogger("vigilpay.events")

unanswered = Condition(log)


@reads_only
def freshness(request: HttpRequest) -> JsonResponse:
    """How fresh the scores are, as numbers."""
    try:
        answer = asdict(recent_freshness())
        unanswered.end("There are answers on freshness again.")
        return JsonResponse(answer)
    except OperationalError as busy:
        unanswered.begin("No answer on freshness: %s", busy, state="unanswered")
        return error(503, "The database does not answer at the moment. Try again.", **{"Retry-After": "5"})
