"""What the page of one customer tells, read when it is asked for and once only."""

import copy
from datetime import datetime
from functools import cached_property
from typing import Any

from django.contrib.auth.models import AbstractUser, AnonymousUser
from django.http import QueryDict
from django.utils import timezone
from django.utils.translation import gettext

from customers.history.timeline import HistoryEntry, Score, editor_names, read_history
from customers.ml_service import Suggestion, best_changes
from customers.models import Customer, ModelRelease
from customers.releases.active import active_model
from customers.scoring import pause

Reader = AbstractUser | AnonymousUser

SCORES_DRAWN = 60


class CustomerFacts:
    """Of the customer as stored: a form that is shown again has its fields' new values on the instance already."""

    def __init__(self, customer: Any, reader: Reader, *, asked: QueryDict | None, may_edit: bool) -> None:
        """``customer`` brought its active release and its failure with it; ``asked`` are the values of a what-if."""
        self.customer: Any = copy.copy(customer)
        self.reader = reader
        self.asked = asked
        self.may_edit = may_edit
        self.now: datetime = timezone.now()

    def may_see(self, model_name: str) -> bool:
        """Whether the pages of this model of ours are open to the reader."""
        return any(self.reader.has_perm(f"customers.{may}_{model_name}") for may in ("view", "change"))

    @cached_property
    def chapters(self) -> list[HistoryEntry]:
        """Oldest first."""
        return read_history(self.customer.pk, SCORES_DRAWN)

    @cached_property
    def scores(self) -> list[Score]:
        return [chapter.score for chapter in self.chapters if chapter.score]

    @cached_property
    def editors(self) -> dict[str, str]:
        return editor_names(self.chapters)

    @cached_property
    def paused(self) -> str:
        return pause.notice()

    @cached_property
    def release(self) -> ModelRelease | None:
        """That gave the stored score; it may be gone."""
        return ModelRelease.objects.filter(pk=self.customer.scored_by_id).first()

    @property
    def is_explained(self) -> bool:
        """Whether the reasons that are stored are those of the fields as they are."""
        return self.customer.stale_since is None and self.customer.contributions is not None

    def suggestions(self) -> tuple[Suggestion, ...]:
        """Raises ``ModelError``, ``InputError``."""
        forest, _ = active_model()
        return best_changes(forest, self.customer.features(), translate=gettext)


def facts_of(customer: Customer) -> CustomerFacts:
    """The facts that ``WhatIfPage.get_object`` gave this customer."""
    facts: CustomerFacts = customer.facts  # type: ignore[attr-defined]  # of the page, not of the model
    return facts
