"""The audit trail's one table."""

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex, GinIndex
from django.db import models
from django.db.models import OuterRef, Subquery, TextField, Value
from django.db.models.functions import Cast, Concat, Now

from customers.presentation.durations import format_time

USER = "user:"


class TrailEntryQuerySet(models.QuerySet["TrailEntry"]):
    def about(self, customer_id: int) -> "TrailEntryQuerySet":
        """Those that name this customer, by an index."""
        return self.filter(customer_ids__contains=[customer_id])

    def with_user_names(self) -> "TrailEntryQuerySet":
        """With ``user_name`` on each: what a user is called today; None for other actors and users who are gone."""
        users = get_user_model()._default_manager.annotate(
            actor=Concat(Value(USER), Cast("pk", TextField()), output_field=TextField())
        )
        name = users.filter(actor=OuterRef("actor")).values(get_user_model().USERNAME_FIELD)[:1]
        return self.annotate(user_name=Subquery(name))


class TrailEntry(models.Model):
    """One request, or one command, that has read or changed something about customers, or has changed anything at all.

    Appended only. Two things alone take from it: its own time limit, and the erasure of a customer, which puts a keyed
    hash in the place of the id.
    """

    class Purpose(models.TextChoices):
        VIEW = "view", "viewed"
        LIST = "list", "listed"
        CHANGE = "change", "changed"
        RESCORE = "rescore", "scored"
        DOWNLOAD = "download", "downloaded"
        REPORT = "report", "reported"
        ERASE = "erase", "erased"

    at = models.DateTimeField(db_default=Now())
    actor = models.CharField(
        max_length=150, help_text="user:<id>, token:<id>, anonymous, or command:<name> by <user of the host>."
    )
    purpose = models.CharField(max_length=8, choices=Purpose)
    refused = models.BooleanField(
        default=False, db_default=False, help_text="The actor did not have the right, and saw nothing."
    )
    customer_ids = ArrayField(
        models.BigIntegerField(),
        verbose_name="customers",
        help_text="All customers that the page showed.",
    )
    erased = ArrayField(
        models.CharField(max_length=64),
        default=list,
        db_default=[],
        help_text="Customers erased since then, as a keyed hash of the id.",
    )
    address = models.CharField(max_length=100, help_text="The name of the page or address, without search terms.")

    objects = TrailEntryQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        default_permissions = ("view",)
        verbose_name = "audit trail entry"
        verbose_name_plural = "audit trail entries"
        indexes = [
            # Without its list of pending entries: one request in many would pay for the others.
            GinIndex(fields=["customer_ids"], name="trail_customers", fastupdate=False),
            models.Index(fields=["actor", "-id"], name="trail_actor"),
            BrinIndex(fields=["at"], name="trail_time", pages_per_range=32),
        ]

    def __str__(self) -> str:
        return f"{self.describe_actor()}, {self.get_purpose_display()}, {format_time(self.at)}"

    def describe_actor(self) -> str:
        """By name where it is a user, as far as ``with_user_names`` has found one."""
        name: Any = getattr(self, "user_name", None)
        return f"{name} ({self.actor})" if name else self.actor
