"""Contacts as they are recorded: by whom, and with the score that stood at that moment."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.db import transaction
from django.db.models import Exists, Max, OuterRef, QuerySet, Subquery
from django.utils import timezone

from customers.models import Contact, Customer, ModelRelease, WorklistItem, is_current_by
from customers.outreach.worklist import finish_all
from customers.presentation.reasons import main_reasons


@dataclass(frozen=True)
class Standing:
    """The current score of a customer, with its reasons and its release; all None where there is none."""

    score: float | None = None
    reason_codes: list[int] | None = None
    release_id: int | None = None


def standing_of(customer_id: int) -> Standing:
    """As the row is, without a lock: a score of other fields, of a former model or of an objector is none."""
    current = Customer.objects.filter(is_current_by(Subquery(ModelRelease.objects.newest_id())), pk=customer_id)
    found = current.values_list("churn_risk_score", "reason_codes", "scored_by_id").first()
    return Standing(*found) if found else Standing()


def record(contact: Contact, by: str, standing: Standing) -> Contact:
    """Store this contact, which is not stored yet, as one of this member of the staff.

    A customer who asks not to be contacted leaves every worklist. Of one who has objected since, as in the same
    request, no score is stored.
    """
    if Customer.objects.filter(pk=contact.customer_id, objected_at__isnull=False).exists():
        standing = Standing()
    contact.by = by[: Contact._meta.get_field("by").max_length]
    contact.score, contact.reason_codes, contact.release_id = (
        standing.score,
        standing.reason_codes,
        standing.release_id,
    )
    with transaction.atomic():
        contact.save(force_insert=True)
        if contact.outcome == Contact.Outcome.NO_CONTACT:
            finish_all(WorklistItem.objects.filter(customer_id=contact.customer_id))
    return contact


def last_contacts(customer_ids: Iterable[int]) -> dict[int, Contact]:
    """The newest contact with each of these customers, by customer; nothing of those who had none. One query."""
    newest = Contact.objects.filter(customer_id__in=list(customer_ids)).values("customer_id").annotate(last=Max("id"))
    found = Contact.objects.filter(pk__in=newest.values("last"))
    return {contact.customer_id: contact for contact in found}


def follow_ups_due() -> QuerySet[Contact]:
    """Contacts whose day to follow up has come, without any contact since they were recorded: one of a customer."""
    later = Contact.objects.filter(customer_id=OuterRef("customer_id"), pk__gt=OuterRef("pk"))
    return Contact.objects.filter(~Exists(later), follow_up_on__lte=timezone.localdate()).order_by()


def describe_codes(reason_codes: Sequence[int] | None) -> str:
    """The reasons of these numbers, as far as staff may see them."""
    labels = main_reasons()
    return ", ".join(labels[number] for number in reason_codes or () if number in labels)


def contacts_with(customer_id: int, most: int) -> list[Contact]:
    """The newest first, ``most`` at most."""
    return list(Contact.objects.filter(customer_id=customer_id).order_by("-id")[:most])
