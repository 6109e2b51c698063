"""JSON views: parse, ask, answer."""

import logging
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, cast

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, JsonResponse
from psycopg.errors import QueryCanceled

from customers.api import history_page, insights
from customers.api.json_body import BodyError, json_object
from customers.api.responses import P, View, error, posts_only, reads_only, wrong_fields
from customers.api.validation import WhatIfQuestion, WrongFieldsError, page_asked
from customers.conditions import Condition
from customers.ml_service import InputError, ModelError
from customers.models import Customer
from customers.scoring import scorer
from customers.scoring.claims import CustomerBusyError

log = logging.getLogger("vigilpay.views")

database_away = Condition(log)

# What our own rooms raise, and the status that says so with their words.
REFUSALS: Mapping[type[Exception], Callable[[Any], JsonResponse]] = {
    BodyError: lambda unread: error(unread.status, str(unread)),
    WrongFieldsError: lambda wrong: wrong_fields(wrong.expected),
    Customer.DoesNotExist: lambda missing: error(404, str(missing)),
    CustomerBusyError: lambda busy: error(503, str(busy), **{"Retry-After": "1"}),
    ModelError: lambda broken: error(503, str(broken)),
    InputError: lambda unknown: error(422, unknown.message),
    OperationalError: lambda lost: out_of_reach(lost),
    InterfaceError: lambda lost: out_of_reach(lost),
}


def out_of_reach(lost: Exception) -> JsonResponse:
    """The caller is told to come back; the operator is told why, once."""
    database_away.begin("The database can't be reached: %s", lost, state="away")
    return error(503, "The database can't be reached at this moment; try again.", **{"Retry-After": "5"})


def says_why_not(view: View[P]) -> View[P]:
    """Turn what our own rooms raise into the status that says so."""

    def answered(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> JsonResponse:
        try:
            answer = view(request, *args, **kwargs)
            database_away.end("The database can be reached again.")
            return answer
        except tuple(REFUSALS) as refused:
            if isinstance(refused.__cause__, QueryCanceled):
                raise  # the web server's own limit of time, of which it tells itself
            return next(say(refused) for kind, say in REFUSALS.items() if isinstance(refused, kind))

    return cast("View[P]", wraps(view)(answered))


@reads_only
@says_why_not
def analyze_customer(request: HttpRequest, customer_id: int) -> JsonResponse:
    """Score this customer now, store the score and answer with it."""
    return JsonResponse({"customer_id": customer_id, "churn_risk_score": scorer.analyze(customer_id)})


@reads_only
@says_why_not
def customer_insights(request: HttpRequest, customer_id: int) -> JsonResponse:
    """The stored score, whether it is current, what moves it, and what would lower it."""
    return JsonResponse(insights.of_customer(customer_id))


@reads_only
@says_why_not
def customer_history(request: HttpRequest, customer_id: int) -> JsonResponse:
    """The scores of this customer and what led to each, newest first, page by page."""
    return JsonResponse(history_page.page(customer_id, **page_asked(request.GET)))


@posts_only
@says_why_not
def what_if(request: HttpRequest) -> JsonResponse:
    """The score of these values, and with some of them changed. Nothing is stored."""
    return JsonResponse(insights.what_if(WhatIfQuestion.of(json_object(request))))
