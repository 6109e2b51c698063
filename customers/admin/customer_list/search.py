"""Customers by what staff type into the search box: an id, or the beginning of a surname."""

from typing import Any

from django.db.models import F, QuerySet, Value
from django.db.models.functions import Collate, Concat, Upper

from customers.admin.lookups import is_number, of_customer

LAST_CHARACTER = "\U0010ffff"


def search(customers: QuerySet[Any], typed: str) -> QuerySet[Any]:
    """Digits are an id, looked up by the key."""
    term = typed.strip()
    if not term or is_number(term):
        return of_customer(customers, term)
    # Whatever the case of its letters. A range in the order of C is found by an index in every locale, LIKE is not.
    first = Upper(Value(term))
    keyed = customers.alias(surname_key=Collate(Upper(F("surname")), "C"))
    found: QuerySet[Any] = keyed.filter(surname_key__gte=first, surname_key__lt=Concat(first, Value(LAST_CHARACTER)))
    return found
