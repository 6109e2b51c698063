"""What a request was for, and which customers its answer has named: read from the address and the answer alone.

No view writes the trail, and none can forget to: a page of a model that names customers is known by its column
``customer_id``, a JSON answer by the ids that it holds.
"""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.core.exceptions import FieldDoesNotExist
from django.db.models import Model
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.urls import ResolverMatch

from customers.api.validation import is_customer_id
from customers.models import Customer, ModelProposal
from events.models import Overview
from vigilpay.trail.models import TrailEntry

Purpose = TrailEntry.Purpose

JSON = "customers"  # the namespace of our JSON addresses that answer about customers

# These addresses by name. One that is not here is a reading.
JSON_PURPOSES = {
    "customers:analyze": Purpose.RESCORE,
    "customers:analyze_many": Purpose.RESCORE,
    "customers:at_risk": Purpose.LIST,
    "customers:changes": Purpose.LIST,
    "customers:history": Purpose.VIEW,
    "customers:insights": Purpose.VIEW,
    "customers:objection": Purpose.CHANGE,
    "customers:what_if": Purpose.VIEW,
}
READINGS = frozenset({Purpose.VIEW, Purpose.LIST})
# Actions of the admin's lists that are no change.
ACTIONS = {"export": Purpose.DOWNLOAD, "rescore_now": Purpose.RESCORE}
OTHERS = {"customers_importbatch_rejects": Purpose.DOWNLOAD, "customers_customer_what_if": Purpose.VIEW}
# Logging in and out is in the log; the other two are parts of pages.
NO_ENTRY = frozenset({"login", "logout", "jsi18n", "autocomplete"})


def purpose_of(request: HttpRequest, match: ResolverMatch, response: HttpResponseBase) -> Purpose | None:
    """None where the request is no concern of the trail: it would show no customer, and change nothing."""
    if match.app_name == JSON:
        return JSON_PURPOSES.get(match.view_name, Purpose.VIEW)
    if match.app_name != "admin" or match.url_name in NO_ENTRY:
        return None
    if match.url_name in OTHERS:
        return OTHERS[match.url_name]
    if request.method == "POST" and is_answer_to_act(response):
        return ACTIONS.get(request.POST.get("action", ""), Purpose.CHANGE)
    return purpose_of_page(match)


def is_of_no_concern(match: ResolverMatch, purpose: Purpose, customers: list[int]) -> bool:
    """A reading that has shown no customer: an empty list, a what-if of values alone. The trail itself is one."""
    return not customers and purpose in READINGS and model_of(match) is not TrailEntry


def is_answer_to_act(response: HttpResponseBase) -> bool:
    """Django's admin answers what it has done, or refuses to do, so; a form that is wrong, or asks again, by a page."""
    return response.status_code >= 300 or response.streaming


def purpose_of_page(match: ResolverMatch) -> Purpose | None:
    model = model_of(match)
    if model is None or not (names_customers(model) or model in (Overview, TrailEntry, ModelProposal)):
        return None
    return Purpose.LIST if str(match.url_name).endswith("_changelist") or model is Overview else Purpose.VIEW


def model_of(match: ResolverMatch) -> type[Model] | None:
    """Of a page of the admin, which notes itself on its views."""
    page = getattr(match.func, "model_admin", None)
    if page is None and match.url_name == "customers_customer_what_if":
        return Customer
    return page.model if page else None


def names_customers(model: type[Model]) -> bool:
    """Whether its rows are about one customer each."""
    try:
        return bool(model._meta.get_field("customer_id"))
    except FieldDoesNotExist:
        return False


# --- which customers --------------------------------------------------------------------------------------------------


def customers_of(request: HttpRequest, match: ResolverMatch, response: HttpResponseBase) -> list[int]:
    """The ids of all customers whom the answer shows, or whom the request has acted on; each once."""
    noted: Iterable[Any] = getattr(response, "customer_ids", ())  # by a view whose answer shows them by itself
    found = [*ids_in_address(match), *ids_sent(request, match, response), *ids_shown(request, response), *noted]
    return list(dict.fromkeys(customer_id for customer_id in found if is_customer_id(customer_id)))


def ids_in_address(match: ResolverMatch) -> Iterator[int]:
    """The id in a JSON address, or in that of a page whose rows have the customer's id for their key."""
    if "customer_id" in match.kwargs:
        yield match.kwargs["customer_id"]
    elif is_keyed_by_customer(model_of(match)):
        yield from ids_from([match.kwargs.get("object_id", "")])


def ids_sent(request: HttpRequest, match: ResolverMatch, response: HttpResponseBase) -> Iterator[int]:
    """The rows that were ticked for an action of a list, or the id of a new one. "All that match" has no ids."""
    if request.method != "POST" or not is_keyed_by_customer(model_of(match)) or not is_answer_to_act(response):
        return
    if request.POST.get("select_across", "0") == "0":
        yield from ids_from(request.POST.getlist(ACTION_CHECKBOX_NAME))
    if str(match.url_name).endswith("_add"):
        yield from ids_from([request.POST.get("customer_id", "")])


def is_keyed_by_customer(model: type[Model] | None) -> bool:
    return model is not None and model._meta.pk.name == "customer_id"


def ids_from(texts: Iterable[str]) -> Iterator[int]:
    return (int(text) for text in texts if text.isascii() and text.isdecimal() and len(text) < 20)


def ids_shown(request: HttpRequest, response: HttpResponseBase) -> Iterator[Any]:
    """What stands in the answer itself: rows of a list, the object of a page, the ids of a JSON answer."""
    if response.status_code >= 300:
        return
    context = getattr(response, "context_data", None) or {}
    rows = getattr(context.get("cl"), "result_list", None)
    for row in rows if rows is not None else [context.get("original"), context.get("object")]:
        yield getattr(row, "customer_id", None)
    yield from ids_of_overview(request, context.get("original"))
    if response.get("Content-Type") == "application/json" and not response.streaming:
        yield from ids_in_json(json.loads(response.content))  # type: ignore[attr-defined]  # of an answer in one piece


def ids_of_overview(request: HttpRequest, page: Any) -> Iterator[int]:
    """Of those who moved most: the page names them to users who may see customers."""
    if isinstance(page, Overview) and page.figures and request.user.has_perm("customers.view_customer"):
        for window in page.figures["movers"]:
            yield from (mover["customer_id"] for mover in [*window["risers"], *window["fallers"]])


def ids_in_json(answer: Any) -> Iterator[Any]:
    """``customer_id`` of the answer, and of each object in one of its lists that is not an error."""
    if isinstance(answer, dict):
        yield answer.get("customer_id")
        for part in answer.values():
            if isinstance(part, list):
                yield from (it.get("customer_id") for it in part if isinstance(it, dict) and "error" not in it)
