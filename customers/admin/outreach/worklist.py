"""The worklist of the reader: one page, with a button for the next customer and the customers taken on so far.

Each of its buttons posts to an address of its own. The risk is read when the page is asked for: it is
that of the customer's row.
"""

import copy
from collections.abc import Sequence
from datetime import date
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils.dateparse import parse_date
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from customers.admin.customer_page import worklist_panel
from customers.admin.read_only import ReadOnlyAdmin
from customers.models import WorklistItem
from customers.outreach import worklist
from customers.outreach.worklist import OpenItem
from customers.presentation.bands import badge
from customers.presentation.durations import format_day, format_time
from customers.presentation.numbers import format_count, format_money
from customers.presentation.reasons import reasons_of
from customers.presentation.score_state import describe_score_state, is_current

NEXT = "customers_worklistitem_next"
HEADINGS = ("Customer", "Churn risk", "Value at risk", "Main reason", "Claimed", "Snoozed until", "Action")
NO_DAY = "Choose the day until which the customer is snoozed."
NOT_YOURS = "Customer {} is no longer on your worklist."


@admin.register(WorklistItem)
class WorklistAdmin(ReadOnlyAdmin):
    """Its fieldsets have no fields: their descriptions are the page."""

    class Media:
        css = {"all": ["customers/vigilpay.css"]}

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        shown: Any = wrap(self.changelist_view)
        shown.model_admin = self  # by which the audit trail knows the page
        return [
            path("next/", wrap(self.next_view), name=NEXT),
            path("<int:customer_id>/done/", wrap(self.done_view), name=worklist_panel.DONE),
            path("<int:customer_id>/snooze/", wrap(self.snooze_view), name=worklist_panel.SNOOZE),
            path("", shown, name="customers_worklistitem_changelist"),
        ]

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return request.user.has_perm("customers.work_worklist")

    has_module_permission = has_view_permission

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        if not self.has_view_permission(request):
            raise PermissionDenied
        opened = worklist.open_items(request.user.get_username())
        request.opened = opened  # type: ignore[attr-defined]
        context = {"title": "Worklist", "subtitle": None, "original": "Your customers", **(extra_context or {})}
        response: Any = self.changeform_view(as_get(request), "0", reverse(f"admin:{NEXT}"), context)
        response.customer_ids = [it.item.customer_id for it in opened]  # for the audit trail
        return response  # type: ignore[no-any-return]

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> WorklistItem:
        return WorklistItem()

    def get_fieldsets(self, request: HttpRequest, obj: WorklistItem | None = None) -> Any:
        opened: Sequence[OpenItem] = request.opened  # type: ignore[attr-defined]
        return [(None, {"fields": (), "description": page(opened)})]

    # --- what the buttons do --------------------------------------------------------------------------------------

    def next_view(self, request: HttpRequest) -> HttpResponse:
        self.refuse_others(request)
        return worklist_panel.go_to_next(request) if request.method == "POST" else redirect(worklist_panel.WORKLIST)

    def done_view(self, request: HttpRequest, customer_id: int) -> HttpResponse:
        self.refuse_others(request)
        if request.method == "POST":
            is_done = worklist.finish(request.user.get_username(), customer_id)
            self.answer(request, customer_id, "Customer {} marked as done.", is_done)
        return redirect(worklist_panel.WORKLIST)

    def snooze_view(self, request: HttpRequest, customer_id: int) -> HttpResponse:
        self.refuse_others(request)
        if request.method != "POST":
            return redirect(worklist_panel.WORKLIST)
        until = chosen_day(request)
        if until is None or (fault := worklist.snooze_fault(until)):
            messages.error(request, f"Not snoozed. {NO_DAY if until is None else fault}")
            return redirect("admin:customers_customer_change", customer_id)
        is_snoozed = worklist.snooze(request.user.get_username(), customer_id, until)
        self.answer(request, customer_id, f"Customer {{}} snoozed until {format_day(until)}.", is_snoozed)
        return redirect(worklist_panel.WORKLIST)

    def refuse_others(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):
            raise PermissionDenied

    def answer(self, request: HttpRequest, customer_id: int, what: str, is_done: bool) -> None:
        level, words = (messages.SUCCESS, what) if is_done else (messages.WARNING, NOT_YOURS)
        self.message_user(request, words.format(customer_id), level)


def as_get(request: HttpRequest) -> HttpRequest:
    """Whatever is posted to the page itself changes nothing."""
    shown = copy.copy(request)
    shown.method = "GET"
    return shown


def chosen_day(request: HttpRequest) -> date | None:
    """The day that stands in the field; None for none, and for what is no day."""
    try:
        return parse_date(request.POST.get("snoozed_until", ""))
    except ValueError:
        return None


# --- the page ---------------------------------------------------------------------------------------------------------


def page(opened: Sequence[OpenItem]) -> SafeString:
    due = [it for it in opened if not it.is_snoozed]
    words = f"{format_count(len(due), 'customer', 'customers')} to call, {len(opened) - len(due)} snoozed."
    return format_html(
        '<div class="vp-steps"><button type="submit" class="vp-button" formaction="{}">Next to call</button>'
        "<span>{}</span></div>{}",
        reverse(f"admin:{NEXT}"),
        words if opened else "Your worklist is empty.",
        table(opened) if opened else "",
    )


def table(opened: Sequence[OpenItem]) -> SafeString:
    return format_html(
        '<div class="vp-wide"><table class="vp-worklist"><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>',
        format_html_join("", '<th scope="col">{}</th>', ((heading,) for heading in HEADINGS)),
        format_html_join("", "<tr>{}</tr>", ((cells(it),) for it in opened)),
    )


def cells(opened: OpenItem) -> SafeString:
    item, customer = opened.item, opened.customer
    shown = (
        format_html(
            '<a href="{}">{}</a> <span class="vp-quiet">{}</span>',
            reverse("admin:customers_customer_change", args=[customer.pk]),
            customer.surname or "Customer",
            customer.pk,
        ),
        risk(opened),
        "" if customer.value_at_risk is None else format_money(customer.value_at_risk),
        next((reason.label for reason in reasons_of(customer)), ""),
        format_time(item.claimed_at),
        format_day(item.snoozed_until) if item.snoozed_until else "",
        format_html(
            '<button type="submit" class="vp-button" formaction="{}" aria-label="Done: customer {}">Done</button>',
            reverse(f"admin:{worklist_panel.DONE}", args=[customer.pk]),
            customer.pk,
        ),
    )
    return format_html_join("", '<td data-label="{}">{}</td>', zip(HEADINGS, shown, strict=True))


def risk(opened: OpenItem) -> SafeString:
    """The score as it is now; what has become of it since the claim, or why it is not current."""
    customer = opened.customer
    is_known = is_current(customer)
    words = worklist_panel.describe_risk_now(opened.item, customer) if is_known else describe_score_state(customer)
    return format_html("{} <span>{}</span>", badge(customer.churn_risk_score), words)
