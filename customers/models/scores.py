"""The history of the scores."""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models.functions import Now

from customers.fields import arrived_at, contributions
from customers.models.customer import Behaviour
from customers.models.releases import ModelRelease


class ScoreRecord(models.Model):
    """One stored score with what it answers, kept for good: appended by the scorer together with the score itself."""

    class Cause(models.TextChoices):
        CREATED = "created", "Customer added"  # the customer's first score
        RETURNED = "returned", "Customer returned"  # the first since the customer came back
        RESUMED = "resumed", "Objection withdrawn"  # the first since then
        EDITED = "edited", "Data changed"
        RELEASE = "release", "New model release"  # only the model has changed
        ANALYZE = "analyze", "Score requested"  # by staff or a program
        RETRY = "retry", "Retried after a failure"  # the model had no answer before
        AUDIT = "audit", "Corrected by an audit"  # a wrong score was found and repaired

    # Not a foreign key: the record outlives the customer, and a key would be checked once for every score written.
    customer_id = models.BigIntegerField()
    cause = models.CharField(max_length=8, choices=Cause, db_default="", default="")

    # The values scored, as in Behaviour. Empty, like the cause, in records from before these columns.
    credit_score = models.SmallIntegerField(null=True)
    geography = models.CharField("country", max_length=10, default="", db_default="")
    gender = models.CharField(max_length=6, default="", db_default="")
    age = models.SmallIntegerField(null=True)
    tenure = models.SmallIntegerField("years with the bank", null=True)
    balance = models.DecimalField(max_digits=15, decimal_places=2, null=True)
    num_of_products = models.SmallIntegerField("products", null=True)
    has_cr_card = models.BooleanField("credit card", null=True)
    is_active_member = models.BooleanField("active member", null=True)
    edited_by = models.CharField(
        max_length=80,
        default="",
        db_default="",
    )
    arrived_at = arrived_at()

    score = models.FloatField()
    previous_score = models.FloatField(null=True, help_text="Of a customer who was added again: the last one known.")
    contributions = contributions()
    version = models.BigIntegerField(help_text="The version of the customer that was scored.")
    scored_by = models.ForeignKey(
        ModelRelease, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    stale_since = models.DateTimeField(null=True, help_text="When the oldest change that this score answers was made.")
    edited_at = models.DateTimeField(null=True, help_text="When the newest change that this score answers was made.")
    scored_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["customer_id", "-id"], name="score_record_customer"),
            # Appended in the order of time: a few pages of index for "the last quarter of an hour" and for pruning.
            BrinIndex(fields=["scored_at"], name="score_record_time", pages_per_range=32),
        ]

    def __str__(self) -> str:
        return f"score of customer {self.customer_id}"


class UnscoredVersion(Behaviour):
    """What a customer was between two edits that came faster than the scorer. Written by a trigger, append-only.

    Every version of a customer is thus kept once: here when it was overwritten or deleted before it was scored, with
    its score in ``ScoreRecord`` otherwise, or in the customer itself while it waits.
    """

    customer_id = models.BigIntegerField()
    version = models.BigIntegerField()
    edited_at = models.DateTimeField(help_text="When the customer was given these values.")
    objected_at = models.DateTimeField(null=True, help_text="Of the objection to profiling that stood in this version.")

    class Meta:
        indexes = [models.Index(fields=["customer_id", "-id"], name="unscored_version_customer")]

    def __str__(self) -> str:
        return f"version {self.version} of customer {self.customer_id}"
