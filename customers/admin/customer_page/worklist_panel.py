"""What staff can do about a customer of their worklist, on the page of that customer; and the way to the next one."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from customers.models import Customer, ModelRelease, WorklistItem
from customers.outreach import worklist
from customers.presentation.bands import BANDS, band
from customers.presentation.durations import format_day, format_time
from customers.presentation.numbers import format_count, format_percent
from customers.presentation.score_state import is_current
from customers.scoring import pause

SAVE_AND_NEXT = "_save_and_next"
WORKLIST = "admin:customers_worklistitem_changelist"
DONE, SNOOZE = "customers_worklistitem_done", "customers_worklistitem_snooze"
NO_NEXT = "No customer to call at present."
OFFERED = "The worklist offers customers with {} or critical risk whose score is up to date, who are not claimed"
NOT_CONTACTED = " and were not contacted in the last {}"
NO_SCORES = "No customer has been scored by the active model release yet."
OTHERS_CLAIM = "Other members of staff are claiming customers at this moment; try again."


def next_step(item: WorklistItem) -> SafeString:
    """The buttons below a new contact. Of the addresses each acts upon POST alone, and on one's own items alone.

    Enter in any field of the page presses its first button: that is to save, and nothing else.
    """
    tomorrow = timezone.localdate() + timedelta(days=1)
    return format_html(
        '<div class="vp-steps"><button type="submit" name="_save" value="1" class="vp-by-enter" tabindex="-1"'
        ' aria-hidden="true">Save</button>'
        '<button type="submit" name="{}" value="1" class="vp-button">Save and next</button>'
        '<button type="submit" class="vp-button" formaction="{}">Done without a contact</button>'
        '<span><label for="id_snoozed_until">Come back on</label>'
        '<input type="date" id="id_snoozed_until" name="snoozed_until" min="{}" value="{}">'
        '<button type="submit" class="vp-button" formaction="{}">Snooze</button></span></div>',
        SAVE_AND_NEXT,
        reverse(f"admin:{DONE}", args=[item.customer_id]),
        tomorrow.isoformat(),
        (item.snoozed_until or tomorrow).isoformat(),
        reverse(f"admin:{SNOOZE}", args=[item.customer_id]),
    )


def describe_item(item: WorklistItem, customer: Any) -> str:
    """Since when the customer is on the reader's worklist, and whether the risk is still what it was."""
    until = item.snoozed_until
    snoozed = f", snoozed until {format_day(until)}" if until and until > timezone.localdate() else ""
    return " ".join(
        [f"On your worklist since {format_time(item.claimed_at)}{snoozed}.", describe_risk_now(item, customer)]
    ).strip()


def describe_risk_now(item: WorklistItem, customer: Any) -> str:
    """``Risk has passed: now 12.3 % (low)``; empty while the band is the one of the claim, or a higher one.

    Empty, too, of a score that is not up to date: nothing is known of the risk now.
    """
    score = customer.churn_risk_score
    if not is_current(customer) or not worklist.has_fallen(item, score):
        return ""
    what = "passed" if worklist.has_passed(item, score) else "fallen"
    return f"Risk has {what}: now {format_percent(score)} ({band(score)})"


def go_to_next(request: HttpRequest) -> HttpResponse:
    """Claim the next customer and open the page; back to the worklist where there is none."""
    try:
        customer_id = worklist.claim_next(request.user.get_username())
    except worklist.OthersClaimError:
        messages.warning(request, OTHERS_CLAIM)
        return redirect(WORKLIST)
    if customer_id is None:
        messages.info(request, describe_no_next())
        return redirect(WORKLIST)
    response: Any = redirect(top_of_page(customer_id))
    response.customer_ids = [customer_id]  # for the audit trail
    return response  # type: ignore[no-any-return]


def top_of_page(customer_id: int) -> str:
    """A browser would carry the place in the page that it comes from, as the form of a contact, to the page it is sent
    to, unless the address has a place of its own: Django's name for the whole page."""
    return f"{reverse('admin:customers_customer_change', args=[customer_id])}#container"


def describe_no_next() -> str:
    """Which customers are offered, and why none may have a score that is up to date."""
    days = settings.CONTACT_PAUSE_DAYS
    contacts = NOT_CONTACTED.format(format_count(days, "day", "days")) if days else ""
    offered = f"{OFFERED.format(BANDS[worklist.LEAST_BAND])}{contacts}."
    return " ".join(filter(None, [NO_NEXT, offered, pause.notice() or ("" if has_scores() else NO_SCORES)]))


def has_scores() -> bool:
    active = ModelRelease.objects.active_id()
    return active is not None and Customer.objects.filter(scored_by=active).exists()
