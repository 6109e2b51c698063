"""What the page of one customer shows, read when it is asked for and once only."""

from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any

from django.contrib.auth.models import AbstractUser, AnonymousUser
from django.http import QueryDict
from django.utils import timezone

from customers.history.timeline import HistoryEntry, read_history
from customers.models import Customer

Reader = AbstractUser | AnonymousUser

SCORES_DRAWN = 60


@dataclass
class CustomerFacts:
    """``customer`` is as stored, with its active release and its failure; ``asked`` are the values of a what-if."""

    customer: Any
    reader: Reader
    asked: QueryDict | None
    now: datetime = field(default_factory=timezone.now)

    def may_see(self, model_name: str) -> bool:
        """Whether the pages of this model of ours are open to the reader."""
        return any(self.reader.has_perm(f"customers.{may}_{model_name}") for may in ("view", "change"))

    @cached_property
    def history(self) -> list[HistoryEntry]:
        """Scores, each with the edits that led to it; oldest first."""
        return read_history(self.customer.pk, SCORES_DRAWN)


def name_of(customer: Customer) -> str:
    """``Marrequet · 16006166``: what the pages of a customer are headed by."""
    return f"{customer.surname or 'Customer'} · {customer.pk}"


def facts_of(customer: Customer) -> CustomerFacts:
    """The facts that ``WhatIfPage.get_object`` gave this customer."""
    return customer.facts  # type: ignore[attr-defined, no-any-return]  # of the page, not of the model
