"""Shadow scoring on the page of a proposal: how it stands, how the two models compare, Start and Stop."""

from collections.abc import Mapping
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from customers.models import ModelProposal, ShadowRun
from customers.portfolio.movers import Mover
from customers.presentation.durations import format_time
from customers.presentation.numbers import format_percent
from customers.presentation.tables import figures_table
from customers.shadow import comparison, runs
from customers.shadow.description import describe_agreement, describe_movers, describe_quality, describe_state

START, STOP = "_start_shadow", "_stop_shadow"
SHARES = [("0.01", "1 % of all customers"), ("0.1", "10 % of all customers"), ("1", "All customers")]

NEVER = "The proposed model has not been scored beside the active one."
BUTTON = '<input type="submit" name="{}" value="{}">'


def is_asked(data: Mapping[str, Any]) -> bool:
    """Whether one of the two buttons was pressed."""
    return START in data or STOP in data


def why_not(proposal: ModelProposal, data: Mapping[str, Any], *, share: str, reason: str) -> str:
    """Why the button that was pressed can't do what it says; empty if it can."""
    if START in data:
        return runs.why_not(proposal, share=float(share or 0), reason=reason)
    if not is_on(proposal):
        return "This model is not being scored in shadow."
    return "" if reason else "Enter the reason to stop shadow scoring."


def act(proposal: ModelProposal, data: Mapping[str, Any], *, by: str, share: str, reason: str) -> str:
    """Do it; what happened, in a sentence. Raises ``ShadowError``."""
    if START in data:
        runs.start(proposal, share=float(share), by=by, reason=reason)
        started = f"Shadow scoring of proposal {proposal.pk} started."
        return f"{started} The comparison appears here after these customers have been scored."
    runs.stop(by=by, reason=reason)
    return f"Shadow scoring of proposal {proposal.pk} stopped. The scores of the proposed model are being deleted."


def wish(data: Mapping[str, Any], *, share: str, reason: str) -> str:
    """What the log of the admin keeps."""
    if START in data:
        return f"Start shadow scoring on {format_percent(float(share))} of all customers: {reason}"
    return f"Stop shadow scoring: {reason}"


def is_on(proposal: ModelProposal) -> bool:
    return ShadowRun.objects.filter(proposal=proposal, is_on=True).exists()


def last_run(proposal: ModelProposal) -> ShadowRun | None:
    return ShadowRun.objects.filter(proposal=proposal).first()


def state_of(proposal: ModelProposal) -> str:
    run = last_run(proposal)
    return describe_state(run) if run else NEVER


def button_for(proposal: ModelProposal) -> SafeString:
    return format_html(BUTTON, *((STOP, "Stop shadow scoring") if is_on(proposal) else (START, "Start shadow scoring")))


def figures_html(proposal: ModelProposal) -> SafeString | str:
    """The last comparison; it names no customer."""
    run = last_run(proposal)
    found = comparison.figures_of(run) if run else None
    if found is None:
        return "Not compared yet." if run is None or run.is_on else "Shadow scoring ended before a comparison."
    as_of = f"compared with release {found.release}, as of {format_time(found.at)}"
    return format_html(
        "{}{}",
        figures_table(f"Agreement, {as_of}", (), describe_agreement(found), numbers=True),
        figures_table(
            "Against outcomes known since", ("Figure", "Active model", "Proposed model"), describe_quality(found)
        ),
    )


def movers_for(request: HttpRequest, proposal: ModelProposal) -> list[Mover]:
    """Whose two risks differ most, for users who may see customers."""
    run = last_run(proposal)
    if run is None or not request.user.has_perm("customers.view_customer"):
        return []
    return comparison.movers_of(run)


def movers_html(movers: list[Mover]) -> SafeString | str:
    if not movers:
        return "None to show."
    rows = [(link_to(customer), *risks) for customer, *risks in describe_movers(movers)]
    return figures_table(
        "Largest differences now", ("Customer", "Active model", "Proposed model", "Difference"), rows, numbers=True
    )


def link_to(customer_id: str) -> SafeString:
    address = reverse("admin:customers_customer_change", args=[customer_id])
    return format_html('<a href="{}">{}</a>', address, customer_id)
