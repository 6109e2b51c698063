"""What audits, drift checks and the bank itself have found out about the scores."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from customers.models.customer import Customer, is_stale
from customers.models.releases import ModelRelease


class AuditFindingQuerySet(models.QuerySet["AuditFinding"]):
    def open(self) -> "AuditFindingQuerySet":
        """Wrong scores that are still stored."""
        return self.filter(_still_stored(), repaired_at__isnull=True)

    def close_settled(self) -> int:
        """Close those whose wrong score is gone: rescored, edited, or deleted with the customer."""
        return self.filter(~_still_stored(), repaired_at__isnull=True).update(repaired_at=Now())


def _still_stored() -> models.Exists:
    """Whether the customer of a finding still carries that score and calls it current."""
    return models.Exists(
        Customer.objects.filter(
            ~is_stale(models.OuterRef("release")),
            customer_id=models.OuterRef("customer_id"),
            version=models.OuterRef("version"),
            churn_risk_score=models.OuterRef("stored_score"),
        )
    )


class AuditFinding(models.Model):
    """A stored score that called itself current and was not the model's answer. Only ``repaired_at`` ever changes."""

    # Not a foreign key, as in ScoreRecord: the finding outlives the customer.
    customer_id = models.BigIntegerField()
    stored_score = models.FloatField()
    expected_score = models.FloatField(help_text="As recomputed by scikit-learn.")
    version = models.BigIntegerField(help_text="The version of the customer's data that was audited.")
    release = models.ForeignKey(ModelRelease, on_delete=models.PROTECT, related_name="+", db_constraint=False)
    found_at = models.DateTimeField(db_default=Now())
    repaired_at = models.DateTimeField(null=True, help_text="When an audit found the wrong score replaced.")

    objects = AuditFindingQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["customer_id", "version"],
                condition=Q(repaired_at__isnull=True),
                name="audit_finding_open_once",
            ),
        ]

    def __str__(self) -> str:
        return f"wrong score of customer {self.customer_id}, version {self.version}"


class DriftCheck(models.Model):
    """How far the portfolio had moved from what a release was trained on; see ``customers.monitoring.drift``."""

    release = models.ForeignKey(ModelRelease, on_delete=models.PROTECT, related_name="+", db_constraint=False)
    checked_at = models.DateTimeField(db_default=Now())
    reference_rows = models.PositiveIntegerField(help_text="Training customers.")
    customers = models.PositiveBigIntegerField()
    scores = models.PositiveBigIntegerField(help_text="Of customers whose score was up to date.")
    shifts = models.JSONField(help_text="Of each field: its stability index, and the values whose share changed most.")

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"drift check {self.pk}"


class FairnessCheck(models.Model):
    """How groups of customers stood by their scores, and by who left; see ``customers.monitoring.fairness``."""

    release = models.ForeignKey(ModelRelease, on_delete=models.PROTECT, related_name="+", db_constraint=False)
    checked_at = models.DateTimeField(db_default=Now())
    thresholds = ArrayField(models.FloatField(), help_text="Where risk bands began.")
    customers = models.PositiveBigIntegerField(help_text="With an up-to-date score.")
    groups = models.JSONField(help_text="By field and group: figures of the current scores.")
    judged_release = models.ForeignKey(
        ModelRelease, on_delete=models.PROTECT, null=True, related_name="+", db_constraint=False
    )
    first_day = models.DateField(null=True, help_text="From when leaving counted; scores are those before.")
    last_day = models.DateField(null=True)
    judged_groups = models.JSONField(default=dict, help_text="As above, of scores whose outcomes are known.")
    no_outcomes = models.TextField(default="", help_text="Why no outcomes were used.")

    class Meta:
        ordering = ["-id"]
        default_permissions = ()

    def __str__(self) -> str:
        return f"fairness check {self.pk}"


class Outcome(models.Model):
    """What the bank says became of a customer: the day of leaving, or a day on which the customer was still there."""

    # Not a foreign key, as in ScoreRecord: a customer who has left may be deleted.
    customer_id = models.BigIntegerField(primary_key=True)
    left_on = models.DateField(null=True)
    stayed_until = models.DateField(null=True, help_text="The last day on which they were known to be a customer.")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(left_on__isnull=False, stayed_until__isnull=True)
                | Q(left_on__isnull=True, stayed_until__isnull=False),
                name="outcome_left_or_stayed",
            ),
        ]

    def __str__(self) -> str:
        return f"customer {self.customer_id} " + (f"left {self.left_on}" if self.left_on else "stayed")


class OutcomesComplete(models.Model):
    """The bank's word that all customers who left up to a day have been imported: those missing stayed. The newest
    word counts, so that a wrong one can be corrected."""

    until = models.DateField()
    said_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"outcomes are complete until {self.until}"
