"""What the JSON views of the customers take and answer, for OpenAPI: by the name of each address."""

from collections.abc import Iterable, Mapping
from typing import Any

from customers.api import at_risk, changes, history_page
from customers.api.parameters import Parameter
from customers.api.schemas import (
    ANYTHING,
    BAND,
    BOOLEAN,
    FIELDS,
    ID,
    IDS,
    INTEGER,
    MONEY,
    NINE_FIELDS,
    NINE_NUMBERS,
    NUMBER,
    SCORE,
    SOME_FIELDS,
    TEXT,
    TIME,
    Schema,
    list_of,
    object_of,
    or_null,
    schema_of,
)
from customers.ml_service.reasons.moves import Move
from customers.ml_service.reasons.reasons import Reason
from customers.models import ScoreRecord

ENTRY = {
    "customer_id": ID,
    "churn_risk_score": or_null(SCORE),
    "value_at_risk": or_null(MONEY),
    "band": or_null(BAND),
    "current": BOOLEAN,
    "version": or_null(INTEGER),
    "scored_at": or_null(TIME),
    "model_release": or_null(INTEGER),
    "reasons": list_of(schema_of(Reason)),
}
ANSWER = {"customer_id": ID, "churn_risk_score": SCORE}
SUGGESTION = object_of(
    {
        "code": TEXT,
        "text": TEXT,
        "changes": SOME_FIELDS,
        "score_after": SCORE,
        "band_after": BAND,
        "points_gained": NUMBER,
    }
)
EDIT = object_of(
    {
        "version": INTEGER,
        "edited_at": or_null(TIME),
        "edited_by": TEXT,
        "returned": BOOLEAN,
        "changes": {
            "type": "object",
            "propertyNames": {"enum": list(FIELDS)},
            "additionalProperties": object_of({"before": ANYTHING, "after": ANYTHING}),
        },
    }
)
HISTORY_ENTRY = object_of(
    {
        "record": or_null(INTEGER),
        "score": or_null(SCORE),
        "band": or_null(BAND),
        "previous_score": or_null(SCORE),
        "change": or_null(NUMBER),
        "moves": or_null(list_of(schema_of(Move))),
        "contributions": or_null(NINE_NUMBERS),
        "cause": or_null({"type": "string", "enum": ["", *ScoreRecord.Cause.values]}),
        "scored_at": or_null(TIME),
        "model_release": or_null(INTEGER),
        "edited_at": or_null(TIME),
        "edited_by": or_null(TEXT),
        "changed": list_of({"type": "string", "enum": list(FIELDS)}),
        "edits": list_of(EDIT),
    }
)
INSIGHTS = object_of(
    {
        "customer_id": ID,
        "external_id": or_null(TEXT),
        "churn_risk_score": or_null(SCORE),
        "value_at_risk": or_null(MONEY),
        "band": or_null(BAND),
        "current": BOOLEAN,
        "paused": BOOLEAN,
        "scored_at": or_null(TIME),
        "model_release": or_null(INTEGER),
        "explained_score": SCORE,
        "explained_by": INTEGER,
        "base_value": SCORE,
        "contributions": NINE_NUMBERS,
        "reasons": list_of(schema_of(Reason)),
        "suggestions": list_of(SUGGESTION),
        "outside_training": list_of(TEXT),
        "caveat": TEXT,
    }
)
WHAT_IF_BODY: Schema = {
    "oneOf": [
        object_of({"customer_id": ID, "changes": SOME_FIELDS}, optional=("changes",)),
        object_of({"customer": NINE_FIELDS, "changes": SOME_FIELDS}, optional=("changes",)),
    ]
}
WHAT_IF = object_of(
    {
        "customer_id": or_null(ID),
        "changes": SOME_FIELDS,
        "score_before": SCORE,
        "band_before": BAND,
        "score_after": SCORE,
        "band_after": BAND,
        "change": NUMBER,
        "model_release": INTEGER,
        "caveat": TEXT,
    }
)
RESULTS = list_of({"anyOf": [object_of(ANSWER), object_of({"customer_id": ID, "error": TEXT, "status": INTEGER})]})
CHANGE: Schema = {
    "anyOf": [
        object_of({"customer_id": ID, "deleted": {"const": True}}),
        object_of({"deleted": {"const": False}, **ENTRY}),
    ]
}

OF_ONE = (404, 422, 503)
OF_BODIES = (400, 411, 413, 415, 422, 503)
Operation = dict[str, Any]


def operation(
    summary: str,
    answer: Schema,
    errors: Iterable[int],
    *,
    query: Mapping[str, Parameter] | None = None,
    body: Schema | None = None,
    is_open: bool = False,
) -> Operation:
    """What OpenAPI is to say of an address: answered to POST if it takes a body, to GET and HEAD otherwise.

    ``errors`` are the statuses beside those of a wrong method, a missing login and a missing right. An open address
    asks for no login.
    """
    described: Operation = {"summary": summary, "answer": answer, "errors": tuple(errors), "is_open": is_open}
    if query:
        described["parameters"] = [
            {"name": name, "in": "query", "description": it.description, "schema": it.schema}
            for name, it in query.items()
        ]
    if body:
        described["requestBody"] = {"required": True, "content": {"application/json": {"schema": body}}}
    return described


OPERATIONS: Mapping[str, Operation] = {
    "analyze": operation("Score a customer now, and store the score.", object_of(ANSWER), (*OF_ONE, 409)),
    "analyze_many": operation(
        "Score customers now, and store the scores. Safe to repeat.",
        object_of({"results": RESULTS}),
        OF_BODIES,
        body=object_of({"customer_ids": IDS}),
    ),
    "insights": operation("The stored score, its reasons, and what would lower it.", INSIGHTS, (*OF_ONE, 409)),
    "history": operation(
        "All scores of a customer, and the edits between them, newest first.",
        object_of(
            {
                "customer_id": ID,
                "objected_at": or_null(TIME),
                "entries": list_of(HISTORY_ENTRY),
                "next_before": or_null(INTEGER),
            }
        ),
        OF_ONE,
        query=history_page.PARAMETERS,
    ),
    "what_if": operation(
        "The score of any values, and with some of them changed. Stores nothing.",
        WHAT_IF,
        (*OF_BODIES, 404, 409),
        body=WHAT_IF_BODY,
    ),
    "objection": operation(
        "Record or withdraw a customer's objection to profiling. Safe to repeat.",
        object_of({"customer_id": ID, "objected_at": or_null(TIME)}),
        (*OF_BODIES, 404),
        body=object_of({"objected": BOOLEAN}),
    ),
    "at_risk": operation(
        "The customers with a score, highest risk first, page by page.",
        object_of({"customers": list_of(object_of(ENTRY)), "next": or_null(TEXT)}),
        (422, 503),
        query=at_risk.PARAMETERS,
    ),
    "changes": operation(
        "Who has another score since a position, or has left the table.",
        object_of({"changes": list_of(CHANGE), "next": TEXT, "more": BOOLEAN, "waiting_since": or_null(TIME)}),
        (410, 422, 503),
        query=changes.PARAMETERS,
    ),
}
