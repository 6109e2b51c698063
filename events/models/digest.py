"""The e-mail that sums up a period."""

from django.contrib.postgres.functions import RandomUUID
from django.db import models
from django.db.models.functions import Now


class DigestQuerySet(models.QuerySet["Digest"]):
    def waiting(self) -> "DigestQuerySet":
        return self.filter(state=Digest.State.WAITING)

    def due(self) -> "DigestQuerySet":
        """Those to be sent now."""
        return self.waiting().filter(due_at__lte=Now())


class Digest(models.Model):
    """The digest of one period. One row for each, so that however many workers there are it is sent once.

    It holds no customer: the text is made when it is sent, and made anew with every attempt.
    """

    class Kind(models.TextChoices):
        DAILY = "daily", "Daily"
        WEEKLY = "weekly", "Weekly"

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        SENT = "sent", "Sent"
        GIVEN_UP = "given up", "Not sent"

    kind = models.CharField(max_length=6, choices=Kind)
    first_day = models.DateField(help_text="Of the period, in the bank's time zone.")
    key = models.UUIDField(db_default=RandomUUID(), editable=False, help_text="The same with every attempt.")
    state = models.CharField(max_length=8, choices=State, default=State.WAITING, db_default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0, db_default=0)
    created_at = models.DateTimeField(db_default=Now())
    due_at = models.DateTimeField("next attempt", db_default=Now())
    ended_at = models.DateTimeField(null=True)
    error = models.CharField("last error", max_length=500, blank=True, default="", db_default="")

    objects = DigestQuerySet.as_manager()

    class Meta:
        ordering = ["-first_day", "kind"]
        constraints = [models.UniqueConstraint(fields=["kind", "first_day"], name="digest_once_for_a_period")]

    def __str__(self) -> str:
        return f"{self.kind} digest from {self.first_day}"
