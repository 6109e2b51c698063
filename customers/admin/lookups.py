"""From a record that names a customer or a release to their pages, and from a customer's id to the records."""

from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString


def customer_link(customer_id: int) -> SafeString:
    """To the page of a customer; the admin says so where the customer is gone."""
    address = reverse("admin:customers_customer_change", args=[customer_id])
    return format_html('<a href="{}">{}</a>', address, customer_id)


def release_link(release_id: int) -> SafeString:
    address = reverse("admin:customers_modelrelease_change", args=[release_id])
    return format_html('<a href="{}">Release {}</a>', address, release_id)


def of_customer(rows: QuerySet[Any], term: str) -> QuerySet[Any]:
    """Those of the customer with this id, by its index; all without a term, none for what is no id."""
    term = term.strip()
    if not term:
        return rows
    is_id = term.isascii() and term.isdecimal() and len(term) <= 18
    return rows.filter(customer_id=int(term)) if is_id else rows.none()
