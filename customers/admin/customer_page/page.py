"""The page of one customer: the score and its history above, the fields that staff edit below."""

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.safestring import SafeString

from customers.admin.customer_page import after_save, headline, history, reasons, what_if_panel
from customers.admin.customer_page.facts import facts_of, name_of
from customers.admin.customer_page.form import ObjectionForm
from customers.admin.customer_page.history_page import HistoryPage
from customers.admin.customer_page.what_if import WhatIfPage, is_what_if
from customers.history.timeline import format_editor, names_of_editors
from customers.ml_service.schema import FEATURES
from customers.models import Customer
from customers.presentation.action_log import log_action
from customers.presentation.durations import format_time

RISK = ("churn_risk", "reasons", "suggestions", "risk_over_time", "history")
BEHAVIOUR = (
    ("credit_score", "age", "tenure"),
    ("geography", "gender"),
    ("balance", "num_of_products"),
    ("has_cr_card", "is_active_member"),
)
VERSIONS = ("score_given", "given_by", "version", "scored_version", "pending_since", "last_editor")

Section = tuple[str | None, dict[str, Any]]

DATA: Section = ("Customer data", {"fields": (("customer_id", "surname", "external_id"), *BEHAVIOUR)})
RESCORED = (
    "After you save a change of these values, other than the surname and the external ID, a new score is calculated."
)
ASKING: Section = ("What if", {"fields": ("stored_score", "what_if")})
WHAT_IF: Section = ("What if", {"fields": ("what_if_link",)})
OBJECTION: Section = ("Objection to profiling", {"fields": ("objected_at", "objection")})
OBJECTION_SHOWN: Section = ("Objection to profiling", {"fields": ("objected_at",)})
ENGINE: Section = ("Versions and model release", {"fields": VERSIONS, "classes": ("collapse",)})

RECORDED = (
    "Objection of customer {} recorded. The score and its reasons were deleted; no new score is calculated until the "
    "objection is withdrawn."
)
WITHDRAWN = "Objection of customer {} withdrawn. A new score is pending."
NOTHING_TO_SAVE = {
    "show_save": False,
    "show_save_and_continue": False,
    "show_save_and_add_another": False,
    "show_delete": False,
}


class CustomerPage(HistoryPage, WhatIfPage):
    readonly_fields = ("customer_id", *RISK, "stored_score", "what_if", "what_if_link", "objected_at", *VERSIONS)

    def get_readonly_fields(self, request: HttpRequest, obj: Customer | None = None) -> tuple[str, ...]:
        return tuple(super().get_readonly_fields(request, obj)) if obj else ()

    def get_fieldsets(self, request: HttpRequest, obj: Customer | None = None) -> Any:
        """The score and what follows from it first; after a refused save the data, so that the errors are in sight.

        The engine knows nothing of a customer who is not stored yet, and shows nothing of one who has objected.
        """
        if obj is None:
            return (DATA,)
        has_objected, was_refused = obj.objected_at is not None, request.method == "POST"
        risk: Section = ("Churn risk", {"fields": RISK[:1] if has_objected else RISK})
        if is_what_if(request):
            return [risk if has_objected else ASKING]
        what_if = [] if has_objected else [WHAT_IF]
        first = [self.data(request, obj), risk] if was_refused else [risk, self.data(request, obj)]
        return [*first, *what_if, self.objection(request, obj), ENGINE]

    def data(self, request: HttpRequest, customer: Customer) -> Section:
        name, options = DATA
        is_rescored = self.has_change_permission(request, customer) and customer.objected_at is None
        return name, ({**options, "description": RESCORED} if is_rescored else options)

    def objection(self, request: HttpRequest, customer: Customer) -> Section:
        return OBJECTION if self.may_record_objection(request, customer) else OBJECTION_SHOWN

    def get_inlines(self, request: HttpRequest, obj: Customer | None) -> Any:
        """None on the page of a what-if, which saves nothing."""
        return () if is_what_if(request) else super().get_inlines(request, obj)

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """Under the name of the customer; on the page of a what-if with nothing to save."""
        if customer := context["original"]:
            title, asks = name_of(customer), is_what_if(request)
            context.update(title=f"What if · {title}" if asks else title, subtitle=None)
            context.update(NOTHING_TO_SAVE if asks else {})
        return super().render_change_form(request, context, *args, **kwargs)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is not None and self.may_record_objection(request, obj) and not is_what_if(request):
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

    def report_new_score(self, request: HttpRequest) -> Any:
        """What became of the last save of this session; the customer whose new score was reported, or None."""
        return after_save.report(request)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.method == "GET":
            self.report_new_score(request)
        try:
            return super().changeform_view(request, *args, **kwargs)
        except Customer.DoesNotExist as gone:
            messages.error(request, f"{gone} Nothing was saved.")
            return redirect("admin:customers_customer_changelist")

    @admin.display(description="Score")
    def churn_risk(self, customer: Customer) -> SafeString:
        return headline.headline(facts_of(customer))

    @admin.display(description="Score")
    def stored_score(self, customer: Customer) -> SafeString:
        """On the page of a what-if, whose answer is another one."""
        return headline.headline(facts_of(customer))

    @admin.display(description="Reasons")
    def reasons(self, customer: Customer) -> SafeString | str:
        return reasons.reasons_block(facts_of(customer))

    @admin.display(description="What would lower the risk")
    def suggestions(self, customer: Customer) -> SafeString | str:
        return reasons.suggestions_block(facts_of(customer))

    @admin.display(description="Trend")
    def risk_over_time(self, customer: Customer) -> SafeString | str:
        return history.trend_block(facts_of(customer))

    @admin.display(description="History")
    def history(self, customer: Customer) -> SafeString | str:
        return history.history_block(facts_of(customer))

    @admin.display(description="Other values")
    def what_if_link(self, customer: Customer) -> SafeString:
        return what_if_panel.link_to_what_if(facts_of(customer))

    @admin.display(description="Other values")
    def what_if(self, customer: Customer) -> SafeString:
        return what_if_panel.what_if_block(facts_of(customer))

    @admin.display(description="Scored")
    def score_given(self, customer: Customer) -> SafeString | str:
        return headline.scored_block(facts_of(customer))

    @admin.display(description="Model release")
    def given_by(self, customer: Customer) -> SafeString | str:
        return headline.format_model(facts_of(customer))

    @admin.display(description="Oldest change not yet scored", empty_value="None")
    def pending_since(self, customer: Customer) -> str | None:
        return format_time(customer.stale_since, seconds=True) if customer.stale_since else None

    @admin.display(description="Last change by", empty_value="No change recorded")
    def last_editor(self, customer: Customer) -> str | None:
        return customer.edited_by and format_editor(names_of_editors({customer.edited_by})[customer.edited_by])


def hold(customer: Customer) -> None:
    """Lock the row, or Django would insert one that was deleted meanwhile. Raises ``Customer.DoesNotExist``.

    Twice: the row that was waited for may have been replaced, by one that only a new look can see.
    """
    rows = Customer.objects.select_for_update(no_key=True).filter(pk=customer.pk).values_list("pk")
    if not list(rows) and not list(rows.all()):
        raise Customer.DoesNotExist(f"Customer {customer.pk} no longer exists.")
