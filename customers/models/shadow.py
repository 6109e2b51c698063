"""A proposed model that is scored beside the active one, and the scores that it gives."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from customers.fields import arrived_at, contributions
from customers.models.releases import ModelProposal


class ShadowRunQuerySet(models.QuerySet["ShadowRun"]):
    def current(self) -> "ShadowRun | None":
        """The one that is on, if any."""
        return self.filter(is_on=True).first()

    def stop(self, *, by: str, reason: str, **which: Any) -> int:
        """End the one that is on, if it is one of these; its scores stay until they are deleted in small steps."""
        on = self.filter(is_on=True, **which)
        return on.update(is_on=False, stopped_at=Now(), stopped_by=by[:150], stop_reason=reason[:500])


class ShadowRun(models.Model):
    """One time that a proposed model is scored beside the active one, on a share of the customers.

    At most one is on. It binds the fingerprint: its scores are this model's and no other's. ``swept_to`` is the id up
    to which the present pass through all customers has come; None between two passes.
    """

    proposal = models.ForeignKey(ModelProposal, on_delete=models.PROTECT, related_name="shadow_runs")
    fingerprint = models.CharField(max_length=64)
    share = models.FloatField(help_text="Of all customers, from 0 to 1; always the same ones.")
    is_on = models.BooleanField(default=True)
    started_by = models.CharField(max_length=150)
    started_at = models.DateTimeField(db_default=Now())
    start_reason = models.CharField(max_length=500, blank=True, default="")
    stopped_by = models.CharField(max_length=150, blank=True, default="")
    stopped_at = models.DateTimeField(null=True, blank=True)
    stop_reason = models.CharField(max_length=500, blank=True, default="")
    wording = models.CharField(max_length=200, help_text="The rules by which the reasons of its scores were chosen.")
    swept_to = models.BigIntegerField(null=True, default=0)
    swept_at = models.DateTimeField(null=True, help_text="When the last pass through all customers ended.")
    unscored = models.PositiveBigIntegerField(default=0, help_text="Customers of the last pass without an answer.")
    cleared_at = models.DateTimeField(null=True, help_text="When the last of its scores was deleted.")
    figures = models.JSONField(null=True, help_text="The last comparison with the active model.")
    compared_at = models.DateTimeField(null=True, help_text="When that was last tried.")
    movers = ArrayField(
        models.BigIntegerField(), default=list, help_text="Customers whose two scores differed most at that time."
    )

    objects = ShadowRunQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(fields=["is_on"], condition=Q(is_on=True), name="shadow_run_one_is_on"),
            models.CheckConstraint(condition=Q(share__gt=0, share__lte=1), name="shadow_run_share_is_possible"),
            models.CheckConstraint(
                condition=Q(is_on=True, stopped_at__isnull=True) | Q(is_on=False, stopped_at__isnull=False),
                name="shadow_run_ends_once",
            ),
        ]

    def __str__(self) -> str:
        return f"shadow scoring {self.pk} of proposal {self.proposal_id}"


class ShadowScore(models.Model):
    """What a proposed model says of a customer in one version. It is no score of the customer's until it is promoted.

    Columns as in ``Customer``; ``run_id`` says which model.
    """

    # Not foreign keys, as in ScoreRecord: they would be checked for each row.
    customer_id = models.BigIntegerField(primary_key=True)
    run_id = models.BigIntegerField()
    arrived_at = arrived_at()
    version = models.BigIntegerField()
    score = models.FloatField()
    contributions = contributions()
    reason_codes = ArrayField(models.SmallIntegerField())
    scored_at = models.DateTimeField(db_default=Now())

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"shadow score of customer {self.customer_id}"


class ShadowWait(models.Model):
    """Customers whose shadow score is to be renewed: noted with the scores of a batch, or by a pass through all."""

    customer_ids = ArrayField(models.BigIntegerField())

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{len(self.customer_ids)} customers wait for a shadow score"
