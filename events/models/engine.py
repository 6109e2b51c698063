"""The engine's own state."""

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from customers.presentation.durations import format_time
from customers.presentation.numbers import format_count


class Watch(models.Model):
    """The lease: until ``awake_until`` a drain is on its way or at work, and will poll once more after that moment.

    An edit that commits before that moment need not wake a worker. The lease is a hint like every notification: if its
    holder dies it runs out by itself, and the broker's own poll finds what was left.
    """

    id = models.SmallIntegerField(primary_key=True, default=1)
    awake_until = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="watch_has_one_row")]

    def __str__(self) -> str:
        return f"awake until {self.awake_until}"


class Drain(models.Model):
    """What one drain did, from its start to its end; kept for some days."""

    worker = models.CharField(max_length=100)
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField(db_default=Now())
    claimed = models.IntegerField("customers", help_text="Customers taken up for scoring.")
    stored = models.IntegerField("scores stored")
    rejected = models.IntegerField("discarded", help_text="Because a new model was released meanwhile.")
    refused = models.IntegerField("no score could be calculated")

    class Meta:
        verbose_name = "scoring run"
        ordering = ["-id"]
        indexes = [BrinIndex(fields=["ended_at"], name="drain_time", pages_per_range=8)]

    def __str__(self) -> str:
        return f"scoring run {self.pk} ({format_count(self.stored, 'score', 'scores')})"


class Worker(models.Model):
    """One running cluster, as far as it can be judged from outside: when each part of it left its last heartbeat.

    The pusher polls, the sentinel guards. Pusher, worker and monitor all take part between a claim and its
    acknowledgement, so a claim that stays open may be the fault of any of them.
    """

    name = models.CharField(max_length=200, primary_key=True)
    host = models.CharField(max_length=100)
    started_at = models.DateTimeField()
    looked_at = models.DateTimeField(null=True)
    guarded_at = models.DateTimeField(null=True)
    claimed_at = models.DateTimeField(null=True)  # the first claim since a job was last acknowledged
    acknowledged_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name


class Overview(models.Model):
    """What the overview shows, counted at one moment; a count anew takes the place of the last one."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    counted_at = models.DateTimeField(help_text="All figures are of this moment.")
    took_seconds = models.FloatField(help_text="What the count cost.")
    asked_at = models.DateTimeField(null=True, help_text="When a worker was last asked to count anew.")
    figures = models.JSONField(help_text="See events/overview/figures.py.")

    class Meta:
        default_permissions = ("view",)
        verbose_name = verbose_name_plural = "overview"
        constraints = [models.CheckConstraint(condition=Q(id=1), name="overview_has_one_row")]

    def __str__(self) -> str:
        return f"as of {format_time(self.counted_at)}" if self.figures else "not counted yet"


class SystemStatus(Overview):
    """The operator's page, on top of the same figures."""

    class Meta:
        proxy = True
        default_permissions = ("view",)
        verbose_name = verbose_name_plural = "system status"
