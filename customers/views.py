"""JSON views: parse, ask, answer."""

import logging
from functools import wraps
from typing import cast

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, JsonResponse
from psycopg.errors import QueryCanceled

from customers.api import history_page, insights
from customers.api.json_body import BodyError, json_object
from customers.api.responses import P, View, error, posts_only, reads_only, wrong_fields
from customers.api.validation import WhatIfQuestion, WrongFieldsError, parse_page
from customers.conditions import Condition
from customers.ml_service import InputError, ModelError
from customers.models import Customer
from customers.scoring import scorer
from customers.scoring.claims import CustomerBusyError

log = logging.getLogger("vigilpay.views")

database_away = Condition(log)

# What our own code raises when it can't answer.
REFUSALS = (
    *(BodyError, WrongFieldsError, InputError),
    *(Customer.DoesNotExist, CustomerBusyError, ModelError, scorer.NotTheScorerError),
)


def answers_errors(view: View[P]) -> View[P]:
    """Turn what our own code raises, and a database that is away, into the answer that says so."""

    def answered(request: HttpRequest, *args: P.args, **kwargs: P.kwargs) -> JsonResponse:
        try:
            answer = view(request, *args, **kwargs)
        except REFUSALS as raised:
            return refusal(raised)
        except (OperationalError, InterfaceError) as lost:
            if isinstance(lost.__cause__, QueryCanceled):
                raise  # the web server's own limit of time, which answers by itself
            database_away.begin("The database can't be reached: %s", lost, state="away")
            return error(503, "The database can't be reached at this moment; try again.", **{"Retry-After": "5"})
        database_away.end("The database can be reached again.")
        return answer

    return cast("View[P]", wraps(view)(answered))


def refusal(raised: Exception) -> JsonResponse:
    """The status that says what was raised, with its own words."""
    match raised:
        case BodyError():
            return error(raised.status, str(raised))
        case WrongFieldsError():
            return wrong_fields(raised.expected)
        case InputError():
            return error(422, raised.message)
        case Customer.DoesNotExist():
            return error(404, str(raised))
        case CustomerBusyError():
            return error(503, str(raised), **{"Retry-After": "1"})
        case _:  # a ModelError, or one of the set-up
            return error(503, str(raised))


@reads_only
@answers_errors
def analyze_customer(request: HttpRequest, customer_id: int) -> JsonResponse:
    """Score this customer now, store the score and answer with it."""
    return JsonResponse({"customer_id": customer_id, "churn_risk_score": scorer.analyze(customer_id)})


@reads_only
@answers_errors
def customer_insights(request: HttpRequest, customer_id: int) -> JsonResponse:
    """The stored score, whether it is current, what moves it, and what would lower it."""
    return JsonResponse(insights.of_customer(customer_id))


@reads_only
@answers_errors
def customer_history(request: HttpRequest, customer_id: int) -> JsonResponse:
    """The scores of this customer and what led to each, newest first, page by page."""
    return JsonResponse(history_page.page(customer_id, **parse_page(request.GET)))


@posts_only
@answers_errors
def what_if(request: HttpRequest) -> JsonResponse:
    """The score of these values, and with some of them changed. Nothing is stored."""
    return JsonResponse(insights.answer_what_if(WhatIfQuestion.from_json(json_object(request))))
