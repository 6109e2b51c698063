"""What programs may ask of this site, as an OpenAPI document: the addresses as they are, with their descriptions."""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

from django.http import HttpRequest, JsonResponse
from django.urls import URLPattern, get_resolver, reverse

from customers.api import description as customers
from customers.api.description import Operation, operation
from customers.api.responses import reads_only
from customers.api.schemas import BOOLEAN, ID, TEXT, Schema, object_of
from events.freshness import description as events
from vigilpay import __version__
from vigilpay.web.request_id import HEADER

Json = dict[str, Any]

ROOMS = {"customers": customers.OPERATIONS, "events": events.OPERATIONS}
HOUSE = {
    "index": operation(
        "Name, version, and the addresses.",
        object_of({"name": TEXT, "version": TEXT, "links": {"type": "object", "additionalProperties": TEXT}}),
        (),
        is_open=True,
    ),
    "openapi": operation("This document.", {"type": "object"}, ()),
    "health_live": operation("Whether this process answers.", object_of({"live": BOOLEAN}), (), is_open=True),
    "health_ready": operation(
        "Whether pages and scores can be had from this process.",
        object_of({"ready": BOOLEAN, "parts": {"type": "object", "additionalProperties": TEXT}}),
        (503,),
        is_open=True,
    ),
}
PATH_PARAMETERS = {"customer_id": ID}

ERRORS = {
    400: "The body is not a JSON object.",
    401: "A login or a token is required.",
    403: "This login or token does not have the right to do this.",
    404: "There is no such address, or no such customer.",
    405: "This address does not answer this method; Allow names those that it answers.",
    409: "The customer objected to profiling.",
    410: "The changes since this position are no longer stored; read all customers again.",
    411: "The length of the body is required.",
    413: "The body is too long.",
    415: "The body is not application/json.",
    422: "Some values are wrong; fields names each.",
    503: "No answer at the moment. Nothing was written; if there is a Retry-After, try again.",
}
OF_ALL, UNLESS_OPEN = (405,), (401, 403)
ERROR: Schema = {
    **object_of(
        {
            "error": TEXT,
            "fields": {"type": "object", "additionalProperties": TEXT},
            "parts": {"type": "object", "additionalProperties": TEXT},
        },
        optional=("fields", "parts"),
    ),
    "description": "What happened, and what to do.",
}
ANSWERED_WITH = {HEADER: {"description": "The name of the request, as given or made.", "schema": TEXT}}
SECURITY: Json = {
    "session": {"type": "apiKey", "in": "cookie", "name": "sessionid", "description": "A login at /admin/."},
    "token": {"type": "http", "scheme": "bearer", "description": "A service token."},
}


@reads_only
def openapi(request: HttpRequest) -> JsonResponse:
    """The document itself."""
    return JsonResponse(document())


@cache
def document() -> Json:
    """OpenAPI 3.1. It does not change while the process lives."""
    return {
        "openapi": "3.1.0",
        "info": {"title": "VigilPay", "version": __version__, "description": "Churn scores that stay current."},
        "paths": {address: path_item(name, described, address) for address, name, described in addresses()},
        "components": {
            "schemas": {"Error": ERROR},
            "responses": {str(status): answer(text, ref("schemas", "Error")) for status, text in ERRORS.items()},
            "securitySchemes": SECURITY,
        },
        "security": [{name: []} for name in SECURITY],
    }


def addresses() -> Iterator[tuple[str, str, Operation]]:
    """Every address outside the admin, its name, and its description. Raises ``KeyError`` for one without any."""
    for name, described in HOUSE.items():
        yield reverse(name), name, described
    for room, operations in ROOMS.items():
        for view in get_resolver(f"{room}.urls").url_patterns:
            if isinstance(view, URLPattern) and view.name:
                yield re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", f"/{room}/{view.pattern}"), view.name, operations[view.name]


def path_item(name: str, described: Operation, address: str) -> Json:
    """The one operation of an address; HEAD is answered as GET."""
    in_path = [
        {"name": it, "in": "path", "required": True, "schema": PATH_PARAMETERS[it]}
        for it in re.findall(r"{(\w+)}", address)
    ]
    whole = {
        "operationId": name,
        "summary": described["summary"],
        "parameters": [*in_path, *described.get("parameters", ())],
        **{key: described[key] for key in ("requestBody",) if key in described},
        "responses": responses(described),
    }
    method = "post" if "requestBody" in described else "get"
    return {method: {**whole, "security": []} if described["is_open"] else whole}


def responses(described: Operation) -> Json:
    statuses = {*OF_ALL, *described["errors"], *(() if described["is_open"] else UNLESS_OPEN)}
    errors = {str(status): ref("responses", str(status)) for status in sorted(statuses)}
    return {"200": answer("Answered.", described["answer"]), **errors}


def answer(description: str, schema: Schema) -> Json:
    return {"description": description, "headers": ANSWERED_WITH, "content": {"application/json": {"schema": schema}}}


def ref(kind: str, name: str) -> Json:
    return {"$ref": f"#/components/{kind}/{name}"}
