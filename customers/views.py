"""JSON views: parse, ask, answer."""

import logging
from functools import wraps
from typing import cast

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, JsonResponse
from psycopg.errors import QueryCanceled

from customers.api import at_risk, changes, history_page, insights, objection
from customers.api.json_body import BodyError, json_object
from customers.api.parameters import WrongFieldsError, parse_query
from customers.api.responses import P, View, database_is_away, error, posts_only, reads_only, wrong_fields
from customers.api.validation import MOST_IDS_BYTES, WhatIfQuestion, parse_objection, read_customer_ids
from customers.conditions import Condition
from customers.history.feed import PositionGoneError
from customers.ml_service import InputError, ModelError, UnknownWordError
from customers.models import Customer
from customers.scoring import many, scorer
from customers.scoring.claims import CustomerBusyError, CustomerObjectedError
from customers.scoring.failures import describe_unknown_word

log = logging.getLogger("vigilpay.views")

database_away = Condition(log)

# What our own code raises when it can't answer.
REFUSALS = (
    *(BodyError, WrongFieldsError, PositionGoneError, InputError),
    *(Customer.DoesNotExist, CustomerBusyError, CustomerObjectedError, ModelError, scorer.NotTheScorerError),
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
            return database_is_away()
        database_away.end("The database can be reached again.")
        return answer

    return cast("View[P]", wraps(view)(answered))


def refusal(raised: Exception) -> JsonResponse:
    """The status that says what was raised, with its own words."""
    if isinstance(raised, WrongFieldsError):
        return wrong_fields(raised.expected)
    headers = {"Retry-After": "1"} if isinstance(raised, CustomerBusyError) else {}
    return error(status_of(raised), words_of(raised), **headers)


def words_of(raised: Exception) -> str:
    """Of a customer who could not be scored without the place in a batch, which is not the caller's."""
    if isinstance(raised, UnknownWordError):
        return describe_unknown_word(raised)
    return raised.message if isinstance(raised, InputError) else str(raised)


def status_of(raised: Exception) -> int:
    match raised:
        case BodyError():
            return raised.status
        case InputError():
            return 422
        case Customer.DoesNotExist():
            return 404
        case CustomerObjectedError():
            return 409
        case PositionGoneError():
            return 410
        case _:  # a busy customer, a ModelError, or one of the set-up
            return 503


@reads_only
@answers_errors
def analyze_customer(request: HttpRequest, customer_id: int) -> JsonResponse:
    """Score this customer now, store the score and answer with it."""
    return JsonResponse({"customer_id": customer_id, "churn_risk_score": scorer.analyze(customer_id)})


@posts_only
@answers_errors
def analyze_customers(request: HttpRequest) -> JsonResponse:
    """Score these customers now and store the scores; of each the score, or why there is none, in the order asked."""
    asked = read_customer_ids(json_object(request, most_bytes=MOST_IDS_BYTES))
    outcomes = many.analyze_many(asked)
    return JsonResponse({"results": [result(customer_id, outcomes[customer_id]) for customer_id in asked]})


def result(customer_id: int, outcome: many.Outcome) -> dict[str, object]:
    """As one alone would have been answered, with the status beside the reason."""
    if isinstance(outcome, float):
        return {"customer_id": customer_id, "churn_risk_score": outcome}
    return {"customer_id": customer_id, "error": words_of(outcome), "status": status_of(outcome)}


@reads_only
@answers_errors
def customers_at_risk(request: HttpRequest) -> JsonResponse:
    """The customers with a score, the riskiest first, page by page."""
    return JsonResponse(at_risk.page(request.GET))


@reads_only
@answers_errors
def score_changes(request: HttpRequest) -> JsonResponse:
    """Who has another score since the position in the address, or has left the table."""
    return JsonResponse(changes.page(request.GET))


@reads_only
@answers_errors
def customer_insights(request: HttpRequest, customer_id: int) -> JsonResponse:
    """The stored score, whether it is current, what moves it, and what would lower it."""
    return JsonResponse(insights.of_customer(customer_id))


@reads_only
@answers_errors
def customer_history(request: HttpRequest, customer_id: int) -> JsonResponse:
    """The scores of this customer and what led to each, newest first, page by page."""
    return JsonResponse(history_page.page(customer_id, **parse_query(request.GET, history_page.PARAMETERS)))


@posts_only
@answers_errors
def customer_objection(request: HttpRequest, customer_id: int) -> JsonResponse:
    """Record that this customer objects to profiling, or withdraw that; since when the objection stands."""
    objected = parse_objection(json_object(request))
    return JsonResponse({"customer_id": customer_id, "objected_at": objection.record(customer_id, objected)})


@posts_only
@answers_errors
def what_if(request: HttpRequest) -> JsonResponse:
    """The score of these values, and with some of them changed. Nothing is stored."""
    return JsonResponse(insights.answer_what_if(WhatIfQuestion.from_json(json_object(request))))
