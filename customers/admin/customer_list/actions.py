"""What staff can do with the customers they have selected, one or all that match: a statement each, never a loop."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django.contrib import admin, messages
from django.db import OperationalError, transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.utils import timezone
from psycopg.errors import QueryCanceled

from customers.import_export.export import csv_of
from customers.models import Customer
from customers.presentation.action_log import count_objects, log_action
from customers.scoring import failures, requests

Picked = QuerySet[Customer]

RESUME = "Resume scoring of excluded customers"

count_customers = partial(count_objects, Customer)

TOO_MANY = "Nothing was changed: the selection is too large to process in time. Select fewer customers and try again."


class CustomerActions(admin.ModelAdmin):  # type: ignore[type-arg]  # generic for the type checker only
    """The actions of the list. What each reports was counted by the action itself: the list only estimates."""

    actions = ("rescore_now", "requeue", "set_aside", "export")

    @admin.action(description="Rescore now", permissions=["rescore"])
    def rescore_now(self, request: HttpRequest, queryset: Picked) -> None:
        asked = act_and_log(request, "Queued for rescoring", lambda: requests.request_rescoring(queryset))
        self.message_user(request, f"{count_customers(asked)} queued for rescoring.")
        objected = queryset.filter(objected_at__isnull=False).count()
        if left := queryset.count() - objected - asked:
            self.message_user(
                request,
                f"{count_customers(left)} not queued: excluded from scoring, or a retry is already scheduled. "
                f"To score them now, use {RESUME}.",
                messages.WARNING,
            )
        if objected:
            self.message_user(
                request, f"{count_customers(objected)} not queued: objected to profiling.", messages.WARNING
            )

    @admin.action(description=RESUME, permissions=["rescore"])
    def requeue(self, request: HttpRequest, queryset: Picked) -> None:
        number = act_and_log(request, "Resumed scoring", lambda: failures.requeue(queryset.order_by().values("pk")))
        if number:
            self.message_user(request, f"Scoring resumed for {count_customers(number)}.")
        else:
            self.message_user(request, "No customer in the selection is excluded from scoring.", messages.WARNING)

    @admin.action(description="Exclude from scoring", permissions=["rescore"])
    def set_aside(self, request: HttpRequest, queryset: Picked) -> None:
        reason = f"Excluded from scoring by {request.user.get_username()}"
        number = act_and_log(request, "Excluded from scoring", lambda: requests.give_up(queryset, reason))
        if number:
            until = "until retried, changed or scored by a new model"
            self.message_user(request, f"{count_customers(number)} excluded from scoring {until}.")
        else:
            self.message_user(
                request, "No customer was excluded: no customer in the selection has a score pending.", messages.WARNING
            )

    @admin.action(description="Export as CSV", permissions=["export"])
    def export(self, request: HttpRequest, queryset: Picked) -> StreamingHttpResponse:
        # Customers who have objected to profiling are in no file, however they were picked.
        queryset = queryset.filter(objected_at__isnull=True)
        act_and_log(request, "Exported", queryset.count)
        disposition = {"Content-Disposition": f'attachment; filename="customers-{timezone.localdate()}.csv"'}
        return StreamingHttpResponse(csv_of(queryset), content_type="text/csv; charset=utf-8", headers=disposition)

    def response_action(self, request: HttpRequest, queryset: Picked, *args: Any, **kwargs: Any) -> HttpResponse | None:
        """As Django's, with words in the place of a crash where the database cuts a statement off."""
        try:
            return super().response_action(request, queryset, *args, **kwargs)
        except OperationalError as error:
            if not isinstance(error.__cause__, QueryCanceled):
                raise
            self.message_user(request, TOO_MANY, messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Without Django's own deletion, which would read all customers that match, and list them."""
        return {name: action for name, action in super().get_actions(request).items() if name != "delete_selected"}

    def has_rescore_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("customers.rescore_customer")

    def has_export_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("customers.export_customer")


def act_and_log(request: HttpRequest, what: str, act: Callable[[], int]) -> int:
    """Act, and leave one entry with the number of customers in the admin's log; both or neither."""
    with transaction.atomic():
        number = act()
        log_action(request, Customer, what, number)
    return number
