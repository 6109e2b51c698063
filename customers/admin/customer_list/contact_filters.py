"""What the list of customers says about contacts, and what it is narrowed down by."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest
from django.utils import timezone

from customers.admin.customer_list.filters import ChoiceFilter
from customers.models import Contact
from customers.outreach.contacts import follow_ups_due, last_contacts
from customers.presentation.durations import format_day


def with_last_contacts(ids: list[int]) -> dict[int, Contact]:
    """The newest contact with each of these customers, by customer; none of those who had none. One query."""
    return last_contacts(ids)


def last_contact(customer: Any) -> str | None:
    """``25 Nov 2026: Offer made``, for rows that brought theirs as ``newest_contact``; None where there is none."""
    contact: Contact | None = getattr(customer, "newest_contact", None)
    return None if contact is None else f"{format_day(contact.at)}: {contact.get_outcome_display()}"


class ContactFilter(ChoiceFilter):
    """By what staff have done about the risk, or have still to do."""

    title = "contact"
    parameter_name = "contact"
    DUE, NOT_LATELY, MINE = "due", "not_lately", "mine"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        self.reader = request.user.get_username()
        days = settings.CONTACT_PAUSE_DAYS
        lately = f"Not contacted for {days} {'day' if days == 1 else 'days'}"
        return [(self.DUE, "Follow-up due"), (self.NOT_LATELY, lately), (self.MINE, "Contacted by me")]

    def narrow(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        if value == self.DUE:
            return rows.filter(pk__in=follow_ups_due().values("customer_id"))
        if value == self.MINE:
            return rows.filter(pk__in=Contact.objects.filter(by=self.reader).order_by().values("customer_id"))
        since = timezone.now() - timedelta(days=settings.CONTACT_PAUSE_DAYS)
        # Looked up for each row on the way down the index of the risk: nearly all match.
        return rows.filter(~Exists(Contact.objects.filter(customer_id=OuterRef("pk"), at__gt=since)))
