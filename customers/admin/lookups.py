"""From a record that names a customer or a release to their pages, and from a customer's id to the records."""

from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from customers.models import LARGEST_CUSTOMER_ID


def customer_link(customer_id: int) -> SafeString:
    """To the page of a customer; the admin says so where the customer is gone."""
    address = reverse("admin:customers_customer_change", args=[customer_id])
    return format_html('<a href="{}">{}</a>', address, customer_id)


def release_link(release_id: int) -> SafeString:
    address = reverse("admin:customers_modelrelease_change", args=[release_id])
    return format_html('<a href="{}">Release {}</a>', address, release_id)


def is_number(term: str) -> bool:
    """Whether it is meant as a customer's id, possible or not."""
    return term.isdecimal()


def typed_id(term: str) -> int | None:
    """The id that staff have typed; None for what no customer can have."""
    # By length first: Python refuses to read thousands of digits.
    fits = is_number(term) and len(term) <= len(str(LARGEST_CUSTOMER_ID))
    return int(term) if fits and int(term) <= LARGEST_CUSTOMER_ID else None


def of_customer(rows: QuerySet[Any], term: str) -> QuerySet[Any]:
    """Those of the customer with this id, by its index; all without a term, none for what is no id.

    Django's own search would compare every row's id as text.
    """
    term = term.strip()
    if not term:
        return rows
    customer_id = typed_id(term)
    return rows.none() if customer_id is None else rows.filter(customer_id=customer_id)
