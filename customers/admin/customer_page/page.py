"""The page of one customer: the score and its history above, the fields that staff edit below."""

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.safestring import SafeString

from customers.admin.customer_page import after_save, headline, history, reasons, what_if_panel
from customers.admin.customer_page.facts import facts_of
from customers.admin.customer_page.form import ObjectionForm
from customers.admin.customer_page.what_if import WhatIfPage
from customers.ml_service.schema import FEATURES
from customers.models import Customer
from customers.presentation.action_log import log_action

RISK = ("churn_risk", "risk_over_time", "history", "reasons", "suggestions", "score_given", "given_by")
VERSIONS = ("version", "scored_version", "stale_since", "edited_at", "edited_by")

WHO: Any = (None, {"fields": ("customer_id", "surname")})
BEHAVIOUR = (
    ("credit_score", "age", "tenure"),
    ("geography", "gender"),
    ("balance", "num_of_products"),
    ("has_cr_card", "is_active_member"),
)
OBJECTION: Any = ("Objection to profiling", {"fields": ("objected_at", "objection")})
OBJECTION_SHOWN: Any = ("Objection to profiling", {"fields": ("objected_at",)})
RECORDED = (
    "The objection of customer {} has been recorded. The score and its reasons have been deleted; the customer is not "
    "scored again unless the objection is withdrawn."
)
WITHDRAWN = "The objection of customer {} has been withdrawn. The customer is scored again."
HEADING = "Behaviour: a change here is rescored at once"
SCORED: Any = (
    ("Churn risk: kept current by the engine", {"fields": RISK}),
    WHO,
    (HEADING, {"fields": (*BEHAVIOUR, "what_if")}),
)
OBJECTED: Any = (("Churn risk", {"fields": RISK[:1]}), WHO, ("Behaviour", {"fields": BEHAVIOUR}))


class CustomerPage(WhatIfPage):
    save_on_top = True  # also what Enter in a field presses: without it, that would be the button of the what-if
    readonly_fields = ("customer_id", *RISK, "what_if", "objected_at", *VERSIONS)

    def get_readonly_fields(self, request: HttpRequest, obj: Customer | None = None) -> tuple[str, ...]:
        return tuple(super().get_readonly_fields(request, obj)) if obj else ()

    def get_fieldsets(self, request: HttpRequest, obj: Customer | None = None) -> Any:
        """The engine knows nothing of a customer who is not stored yet, and shows nothing of one who has objected."""
        if obj is None:
            return (WHO, (HEADING, {"fields": BEHAVIOUR}))
        return (
            *(SCORED if obj.objected_at is None else OBJECTED),
            OBJECTION if self.may_record_objection(request, obj) else OBJECTION_SHOWN,
            ("Versions, for operators", {"fields": VERSIONS, "classes": ("collapse",)}),
        )

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is not None and self.may_record_objection(request, obj):
            kwargs["form"] = ObjectionForm
        return super().get_form(request, obj, change, **kwargs)

    def may_record_objection(self, request: HttpRequest, customer: Customer) -> bool:
        may_edit = self.has_change_permission(request, customer)
        return may_edit and request.user.has_perm("customers.record_objection")

    def save_model(self, request: HttpRequest, obj: Customer, form: Any, change: bool) -> None:
        if change:
            hold(obj)
        super().save_model(request, obj, form, change)
        if not change:
            after_save.expect(request, obj.pk, None)
        elif not self.save_objection(request, obj, form) and not set(form.changed_data).isdisjoint(FEATURES):
            after_save.expect(request, obj.pk, facts_of(obj).customer.churn_risk_score)

    def save_objection(self, request: HttpRequest, customer: Customer, form: Any) -> bool:
        """Do what was chosen about the objection, if anything was; whether it was news."""
        choice = form.cleaned_data.get("objection")
        objects = choice == ObjectionForm.RECORD
        if not choice or not Customer.objects.filter(pk=customer.pk).set_objection(objects):
            return False
        what = "Recorded the objection to profiling" if objects else "Withdrew the objection to profiling"
        log_action(request, Customer, what, 1, [customer.pk])
        messages.success(request, (RECORDED if objects else WITHDRAWN).format(customer.pk))
        if not objects:
            after_save.expect(request, customer.pk, None)
        return True

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method == "GET":
            after_save.report(request)
        try:
            return super().changeform_view(request, *args, **kwargs)
        except Customer.DoesNotExist as gone:
            messages.error(request, f"{gone} Nothing was saved.")
            return redirect("admin:customers_customer_changelist")

    @admin.display(description="Score")
    def churn_risk(self, customer: Customer) -> SafeString:
        return headline.headline(facts_of(customer))

    @admin.display(description="Trend")
    def risk_over_time(self, customer: Customer) -> SafeString | str:
        return history.trend_block(facts_of(customer))

    @admin.display(description="What moved it")
    def history(self, customer: Customer) -> SafeString | str:
        return history.history_block(facts_of(customer))

    @admin.display(description="Why")
    def reasons(self, customer: Customer) -> SafeString | str:
        return reasons.reasons_block(facts_of(customer))

    @admin.display(description="What would lower it")
    def suggestions(self, customer: Customer) -> SafeString | str:
        return reasons.suggestions_block(facts_of(customer))

    @admin.display(description="Scored at")
    def score_given(self, customer: Customer) -> SafeString | str:
        return headline.scored_block(facts_of(customer))

    @admin.display(description="Model")
    def given_by(self, customer: Customer) -> SafeString | str:
        return headline.format_model(facts_of(customer))

    @admin.display(description="What if")
    def what_if(self, customer: Customer) -> SafeString:
        return what_if_panel.what_if_block(facts_of(customer))


def hold(customer: Customer) -> None:
    """Lock the row, or Django would insert one that was deleted meanwhile. Raises ``Customer.DoesNotExist``.

    Twice: the row that was waited for may have been replaced, by one that only a new look can see.
    """
    rows = Customer.objects.select_for_update(no_key=True).filter(pk=customer.pk).values_list("pk")
    if not list(rows) and not list(rows.all()):
        raise Customer.DoesNotExist(f"Customer {customer.pk} has left the table.")
