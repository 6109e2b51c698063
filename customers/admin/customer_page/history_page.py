"""The page behind HISTORY: the scores of a customer, the changes of the data, and what staff did in the admin.

Django's own page lists its log alone, which knows of no score and of no change that was made elsewhere.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import LogEntry
from django.contrib.admin.views.main import PAGE_VAR
from django.contrib.contenttypes.models import ContentType
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from customers.admin.customer_page.facts import name_of
from customers.admin.customer_page.headline import CAUSES
from customers.admin.customer_page.history import editor_of, format_edit
from customers.history.timeline import MOST_SCORES, HistoryEntry, Score, editor_names, read_history
from customers.models import Customer
from customers.presentation.bands import band
from customers.presentation.numbers import format_percent, format_points

MOST_LOGGED = 200
ROWS_ON_A_PAGE = 100


@dataclass(frozen=True)
class Actor:
    """As Django's page names who did something."""

    get_username: str
    get_full_name: str = ""


@dataclass(frozen=True)
class Row:
    """As Django's page shows an entry of its log."""

    action_time: datetime
    user: Actor
    get_change_message: SafeString | str


class HistoryPage(admin.ModelAdmin):  # type: ignore[type-arg]  # generic for the type checker only
    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        response = super().history_view(request, object_id, extra_context)
        context = getattr(response, "context_data", None)
        if context is not None:  # else there is no such customer
            customer = context["object"]
            context.update(shown(customer, request.GET.get(PAGE_VAR, "1")))
            inform_where_others_are(request, customer, context["action_list"].paginator.count)
        return response


def shown(customer: Customer, page_number: str) -> dict[str, Any]:
    """What Django's page shows of the history, a page of it."""
    paginator = Paginator(rows_of(customer), ROWS_ON_A_PAGE)
    page = paginator.get_page(page_number)
    return {
        "title": f"History · {name_of(customer)}",
        "action_list": page,
        "page_range": paginator.get_elided_page_range(page.number),
        "pagination_required": paginator.num_pages > 1,
    }


def rows_of(customer: Customer) -> list[Row]:
    """Newest first."""
    history = read_history(customer.pk)
    rows = [*logged(customer), *rows_of_edits(history)]
    if customer.objected_at is None:  # else no page shows a profile
        rows += rows_of_scores(history)
    return sorted(rows, key=lambda row: row.action_time, reverse=True)


def rows_of_edits(history: Sequence[HistoryEntry]) -> Iterator[Row]:
    editors = editor_names(history)
    for edit in (edit for entry in history for edit in entry.edits):
        if edit.edited_at is not None:
            yield Row(edit.edited_at, Actor(editor_of(edit, editors)), format_edit(edit))


def rows_of_scores(history: Sequence[HistoryEntry]) -> Iterator[Row]:
    for entry in history:
        if entry.score is not None:
            yield Row(entry.score.scored_at, Actor(""), describe_score(entry.score))


def describe_score(score: Score) -> str:
    """``Churn risk 45.1 % (medium), +32.8 points. Data changed.``"""
    risk = f"Churn risk {format_percent(score.score)} ({band(score.score)})"
    change = "" if score.previous_score is None else f", {format_points(100 * (score.score - score.previous_score))}"
    cause = CAUSES.get(score.cause, "")
    return f"{risk}{change}. {cause}{'.' if cause else ''}".rstrip()


def logged(customer: Customer) -> list[Row]:
    """What staff did by the admin."""
    entries = LogEntry.objects.filter(
        object_id=str(customer.pk), content_type=ContentType.objects.get_for_model(Customer)
    ).select_related("user")[:MOST_LOGGED]
    return [Row(it.action_time, Actor(it.user.get_username()), it.get_change_message()) for it in entries]


def inform_where_others_are(request: HttpRequest, customer: Customer, rows: int) -> None:
    if customer.objected_at is not None:
        messages.info(request, "Scores are not shown while the objection to profiling stands.")
    if rows < MOST_SCORES:
        return
    words = "The full history is available as JSON"
    if request.user.has_perm("customers.view_scorerecord"):
        address = reverse("customers:history", args=[customer.pk])
        words = format_html('<a href="{}">{}</a>', address, words)
    messages.info(request, format_html("Up to {} scores are listed. {}.", MOST_SCORES, words))
