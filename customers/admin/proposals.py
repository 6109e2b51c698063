"""Models that wait for a second person: what was verified, how churn risks would move, Approve and Refuse.

Only a login of the admin decides, and the page binds the fingerprint that it has shown.
"""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from customers.admin import shadow
from customers.admin.model_card import card_html
from customers.admin.read_only import ReadOnlyAdmin
from customers.models import ModelProposal, ModelRelease
from customers.presentation.durations import format_time
from customers.presentation.numbers import format_count, format_percent, format_points
from customers.releases import proposals
from customers.shadow.runs import ShadowError

APPROVE, REFUSE = "_approve", "_refuse"

FACTS = ("kind", "status", "note", "proposed", "sha256", "fingerprint", "quality", "moves", "verified")
SHADOW = ("shadow_state", "shadow_figures", "shadow_movers")
UNKNOWN = "not known"


class DecisionForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for the type checker only
    """Which of the buttons was pressed, for which model, and why."""

    reason = forms.CharField(
        required=False,
        max_length=500,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Required to refuse, and to start or stop shadow scoring.",
    )
    share = forms.ChoiceField(required=False, choices=shadow.SHARES, initial="0.1", label="Share of customers")
    # What the page has shown: approved is this model, and no other.
    shown = forms.CharField(widget=forms.HiddenInput)

    user = failed = ""

    class Meta:
        model = ModelProposal
        fields = ("reason",)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["shown"].initial = self.instance.fingerprint

    @property
    def is_approval(self) -> bool:
        return APPROVE in self.data

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if shadow.is_asked(self.data):
            share, reason = given.get("share", ""), given.get("reason", "")
            if why := shadow.why_not(self.instance, self.data, share=share, reason=reason):
                raise forms.ValidationError(why)
        elif self.is_approval:
            self.refuse_approval()
        elif REFUSE not in self.data:
            raise forms.ValidationError("Choose Approve or Refuse.")
        elif not given.get("reason"):
            self.add_error("reason", "Enter the reason for the refusal.")
        return given

    def refuse_approval(self) -> None:
        """By the proposer, or of a proposer who is no user here: the shell can name anyone."""
        if why := proposals.why_not(self.instance, self.user):
            raise forms.ValidationError(why)
        by = self.instance.proposed_by
        if not get_user_model().objects.filter(username__iexact=by, is_active=True).exists():
            raise forms.ValidationError(f"There is no active user {by}, who is named as the proposer. Refuse it.")


@admin.register(ModelProposal)
class ModelProposalAdmin(ReadOnlyAdmin):
    """Users with the permission to approve decide on open proposals. Nothing else of them changes, and they stay."""

    list_display = ("name", "kind", "status", "note", "proposed", "decided")
    list_filter = ("state", "kind")
    list_select_related = ("release",)
    show_full_result_count = False

    @admin.display(description="Proposal", ordering="id")
    def name(self, proposal: ModelProposal) -> str:
        return f"Proposal {proposal.pk}"

    @admin.display(description="Status")
    def status(self, proposal: ModelProposal) -> str:
        if proposal.kind == ModelProposal.Kind.ROLLBACK:
            words = {"open": "waiting for a second signature", "approved": "countersigned", "refused": "objected to"}
            return f"Active as release {proposal.release_id}; {words[proposal.state]}"
        if proposal.state != ModelProposal.State.APPROVED:
            return proposal.get_state_display()
        if proposal.release_id is None:
            return "Approved; a worker activates it"
        return f"Approved; put into service as release {proposal.release_id}"

    @admin.display(description="Proposed", ordering="proposed_at")
    def proposed(self, proposal: ModelProposal) -> str:
        return f"{proposal.proposed_by}, {format_time(proposal.proposed_at)}"

    @admin.display(description="Decided", ordering="decided_at")
    def decided(self, proposal: ModelProposal) -> str:
        if proposal.decided_at is None:
            return "not yet"
        return f"{proposal.decided_by}, {format_time(proposal.decided_at)}"

    @admin.display(description="Verified")
    def verified(self, proposal: ModelProposal) -> SafeString | str:
        lines = format_html_join("", "<li>{}</li>", ((finding,) for finding in proposal.findings))
        return format_html("<ul>{}</ul>", lines) if proposal.findings else "as it was when it was first released"

    @admin.display(description="ROC AUC")
    def quality(self, proposal: ModelProposal) -> str:
        """Beside the active model's: both by their own validation, maybe on different customers."""
        active = ModelRelease.objects.first()
        of_active = f"; active model (release {active.pk}): {roc_auc(active.metadata)}" if active else ""
        return f"{roc_auc(proposal.metadata)}{of_active}"

    @admin.display(description="Change of churn risks")
    def moves(self, proposal: ModelProposal) -> SafeString | str:
        shift = proposal.shift or {}
        rows = [*(moved(shift) if "customers" in shift else ()), *waiting(shift)]
        if not rows:
            return "not measured: no customer had a score to compare with"
        return format_html(
            "<table>{}</table>", format_html_join("", '<tr><th scope="row">{}</th><td>{}</td></tr>', rows)
        )

    @admin.display(description="Model card")
    def card(self, proposal: ModelProposal) -> SafeString:
        return card_html({**proposal.metadata, "sha256": proposal.sha256})

    @admin.display(description="Decision")
    def decision(self, proposal: ModelProposal) -> SafeString:
        return format_html(
            '<input type="submit" name="{}" value="Approve"> <input type="submit" name="{}" value="Refuse">',
            *(APPROVE, REFUSE),
        )

    @admin.display(description="Status")
    def shadow_state(self, proposal: ModelProposal) -> str:
        return shadow.state_of(proposal)

    @admin.display(description="Comparison")
    def shadow_figures(self, proposal: ModelProposal) -> SafeString | str:
        return shadow.figures_html(proposal)

    @admin.display(description="Largest differences")
    def shadow_movers(self, proposal: Any) -> SafeString | str:
        return shadow.movers_html(getattr(proposal, "movers", []))

    @admin.display(description="Shadow scoring")
    def shadow_button(self, proposal: ModelProposal) -> SafeString:
        return shadow.button_for(proposal)

    # --- who may do what ----------------------------------------------------------------------------------------------

    def may_decide(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("customers.approve_modelrelease"))

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return super().has_view_permission(request, obj) or self.may_decide(request)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        is_open = isinstance(obj, ModelProposal) and obj.state == ModelProposal.State.OPEN
        return is_open and self.may_decide(request)

    # --- the page -----------------------------------------------------------------------------------------------------

    def get_form(self, request: HttpRequest, obj: Model | None = None, change: bool = False, **kwargs: Any) -> Any:
        if not self.has_change_permission(request, obj):
            return super().get_form(request, obj, change, **kwargs)
        user = {"user": request.user.get_username()}
        return super().get_form(request, obj, change, form=type("UsersDecisionForm", (DecisionForm,), user), **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        return (*FACTS, *SHADOW, "shadow_button", "decided", "card", "decision")

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> Any:
        can_decide = self.has_change_permission(request, obj)
        fields = ("reason", "decision", "shown") if can_decide else ("decided", "reason")
        in_shadow = (*SHADOW, "share", "shadow_button") if can_decide else SHADOW
        return [
            (None, {"fields": FACTS}),
            ("Shadow scoring", {"fields": in_shadow}),
            ("Decision", {"fields": fields}),
            ("Model card", {"fields": ("card",)}),
        ]

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        """Without Django's own buttons: ours are others."""
        hidden = dict.fromkeys(("show_save", "show_save_and_continue", "show_save_and_add_another"), False)
        response: Any = super().changeform_view(request, object_id, form_url, {**(extra_context or {}), **hidden})
        response.customer_ids = getattr(request, "movers_shown", [])  # for the audit trail
        return response

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        """With the customers whom the page is to name."""
        found: Any = super().get_object(request, object_id, from_field)
        if found is not None:
            found.movers = shadow.movers_for(request, found)
            request.movers_shown = [it.customer_id for it in found.movers]  # type: ignore[attr-defined]
        return found

    # --- what is done -------------------------------------------------------------------------------------------------

    def save_model(self, request: HttpRequest, obj: ModelProposal, form: Any, change: bool) -> None:
        given = {"by": request.user.get_username(), "fingerprint": form.cleaned_data["shown"]}
        given["reason"] = form.cleaned_data["reason"]
        if shadow.is_asked(form.data):
            return self.act_on_shadow(request, obj, form)
        try:
            (proposals.approve if form.is_approval else proposals.refuse)(obj, **given)
        except proposals.ProposalError as error:
            form.failed = str(error)
            messages.error(request, f"Nothing was decided: {error}")
        else:
            messages.success(request, said_of(obj))

    def act_on_shadow(self, request: HttpRequest, proposal: ModelProposal, form: Any) -> None:
        given = {name: form.cleaned_data[name] for name in ("share", "reason")}
        try:
            said = shadow.act(proposal, form.data, by=request.user.get_username(), **given)
        except ShadowError as error:
            form.failed = str(error)
            messages.error(request, f"Nothing was changed: {error}")
        else:
            messages.success(request, said)

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        """What the log keeps of it: a sentence."""
        if form.failed:
            return f"Nothing was changed: {form.failed}"
        if shadow.is_asked(form.data):
            return shadow.wish(form.data, share=form.cleaned_data["share"] or "0", reason=form.cleaned_data["reason"])
        wish = "Approve" if form.is_approval else f"Refuse: {form.cleaned_data['reason']}"
        return f"{wish} ({form.cleaned_data['shown'][:12]})."

    def response_change(self, request: HttpRequest, obj: ModelProposal) -> HttpResponse:
        """Back to its page."""
        return HttpResponseRedirect(reverse("admin:customers_modelproposal_change", args=[obj.pk]))


def said_of(proposal: ModelProposal) -> str:
    if proposal.state == ModelProposal.State.REFUSED:
        if proposal.kind == ModelProposal.Kind.ROLLBACK:
            return "Refused. The rollback is active all the same; propose another model to change that."
        return f"Proposal {proposal.pk} refused. The active model stays."
    if proposal.kind == ModelProposal.Kind.ROLLBACK:
        return f"Rollback to release {proposal.release_id} countersigned."
    return f"Proposal {proposal.pk} approved. A worker activates the model; all customers are queued for rescoring."


def roc_auc(metadata: dict[str, Any]) -> str:
    found = (metadata.get("metrics") or {}).get("roc_auc")
    found = found.get("mean") if isinstance(found, dict) else found
    return f"{found:.3f}" if isinstance(found, int | float) else UNKNOWN


def by_percentile(shift: dict[str, Any]) -> list[tuple[int, float]]:
    """JSON has texts for keys, and the database an order of its own."""
    return sorted((int(percent), change) for percent, change in shift["quantiles"].items())


def moved(shift: dict[str, Any]) -> list[tuple[str, str]]:
    return [
        ("Customers drawn at random", format_count(shift["customers"], "customer", "customers")),
        ("Mean churn risk, active model", format_percent(shift["mean_before"])),
        ("Mean churn risk, proposed model", format_percent(shift["mean_after"])),
        ("Change of the mean", format_points(100 * shift["of_mean"])),
        ("Changed by more than 10 points", format_percent(shift["moved_far"])),
        *((f"Change at percentile {q}", format_points(100 * change)) for q, change in by_percentile(shift)),
    ]


def waiting(shift: dict[str, Any]) -> list[tuple[str, str]]:
    """The database has an order of its own: most customers first."""
    unknown = sorted(shift.get("unknown", {}).items(), key=lambda it: (-it[1], it[0]))
    return [(f"Would wait: {called} not known", format_count(it, "customer", "customers")) for called, it in unknown]
