"""The list of customers, and the page of each."""

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse

from customers import paused
from customers.admin.customer_list import CustomerList
from customers.models import Customer
from customers.stored_reasons import reasons_of

ENGINE_FIELDS = ("risk", "reasons", "state", "scored_at", "scored_by", "version", "scored_version", "stale_since")


def say_if_paused(request: HttpRequest) -> None:
    """On top of the page that is about to be rendered."""
    if notice := paused.notice():
        messages.warning(request, f"{notice} Whoever is edited meanwhile waits for a score.")


@admin.register(Customer)
class CustomerAdmin(CustomerList):
    readonly_fields = ENGINE_FIELDS
    fieldsets = (
        (None, {"fields": ("customer_id", "surname")}),
        (
            "Behaviour: a change here is rescored at once",
            {
                "fields": (
                    ("credit_score", "age", "tenure"),
                    ("geography", "gender"),
                    ("balance", "num_of_products"),
                    ("has_cr_card", "is_active_member"),
                )
            },
        ),
        ("Churn risk: kept current by the engine", {"fields": ENGINE_FIELDS}),
    )

    @admin.display(description="Why")
    def reasons(self, customer: Customer) -> str:
        if customer.stale_since is not None or customer.contributions is None:
            return "comes with the next score"
        return ". ".join(reason.text for reason in reasons_of(customer)) or "no part of the score stands out"

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        response = super().changelist_view(request, extra_context)
        if isinstance(response, TemplateResponse):  # before a redirect it would be said twice
            say_if_paused(request)
        return response

    def render_change_form(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        say_if_paused(request)
        return super().render_change_form(request, *args, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: Customer | None = None) -> tuple[str, ...]:
        return ("customer_id", *ENGINE_FIELDS) if obj else ()

    def get_fieldsets(self, request: HttpRequest, obj: Customer | None = None) -> Any:
        """The engine has nothing to say of a customer who is not stored yet."""
        fieldsets = super().get_fieldsets(request, obj)
        return fieldsets if obj else fieldsets[:-1]
