"""Requests not to be contacted. One stands until staff have spoken with the customer again."""

from django.db.models import Exists, OuterRef, QuerySet

from customers.models import Contact

Outcome = Contact.Outcome

# A condition on ``customers_customer AS customer``; ``standing_refusals`` is the same for Django's queries.
REFUSES_CONTACT = f"""((
    SELECT contact.outcome FROM customers_contact AS contact
    WHERE contact.customer_id = customer.customer_id AND contact.outcome <> '{Outcome.NOT_REACHED}'
    ORDER BY contact.id DESC LIMIT 1) IS NOT DISTINCT FROM '{Outcome.NO_CONTACT}')"""


def is_superseded() -> Exists:
    """A condition on contacts: whether a later one has reached the customer."""
    later = Contact.objects.filter(customer_id=OuterRef("customer_id"), pk__gt=OuterRef("pk"))
    return Exists(later.exclude(outcome=Outcome.NOT_REACHED))


def standing_refusals() -> QuerySet[Contact]:
    """One for each customer who is not to be contacted."""
    return Contact.objects.filter(~is_superseded(), outcome=Outcome.NO_CONTACT).order_by()
