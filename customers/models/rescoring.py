"""Which customers are to be scored, and which are excluded from it."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models, transaction
from django.db.models import OuterRef, Q
from django.db.models.functions import Now
from django.utils import timezone

from customers.fields import arrived_at
from customers.models.customer import Customer
from customers.models.releases import ModelRelease

# For a subquery: the id alone may be that of a former life, whose versions began at 1, too.
SAME_LIFE = {"customer_id": OuterRef("customer_id"), "arrived_at": OuterRef("arrived_at")}
SAME_VERSION = {**SAME_LIFE, "version": OuterRef("version")}


class Exclusion(models.TextChoices):
    """Why a customer is excluded from scoring. An objection stands in the customer's row, the others in a failure's."""

    MODEL = "model", "No score could be calculated"
    WORD = "word", "Country or gender not known to the model"
    PERSON = "person", "Excluded by staff"
    OBJECTION = "objection", "Objected to profiling"


def is_excluded(release: Any) -> Q:
    """Not to be scored by this release as things are, whatever the reason; ``scoring.staleness`` says so in SQL."""
    holds = Q(retry_at__isnull=True) | Q(retry_at__gt=Now())
    return Q(objected_at__isnull=False) | Q(ScoringFailure.objects.filter(holds).of_customer(release))


class StaleMark(models.Model):
    """A hint where stale customers are: those with these ids may be. No mark proves staleness; the customer's own row
    decides.

    Triggers insert marks in the transaction of the edit, ``customers/scoring/marks.py`` takes them and knows their
    kinds. The table is unlogged: after a crash of the database it is empty, and all customers are looked at once. It
    has no key in the database, so that no editor can wait for another, or for a worker.
    """

    due_at = models.DateTimeField(primary_key=True, default=timezone.now)
    kind = models.SmallIntegerField()
    ids = ArrayField(models.BigIntegerField())

    class Meta:
        indexes = [models.Index(fields=["kind", "due_at"], name="stale_mark_order")]

    def __str__(self) -> str:
        return f"mark of kind {self.kind}: {len(self.ids)} customers"


class RescoreRequest(models.Model):
    """Customers whom staff want scored again although nothing about them is stale: as many as a drain takes at once.

    Gone in the transaction that stores their scores, so that a worker that dies leaves it to the next.
    """

    customer_ids = ArrayField(models.BigIntegerField())
    asked_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return f"rescoring of {len(self.customer_ids)} customers"


class ScoringFailureQuerySet(models.QuerySet["ScoringFailure"]):
    def dead_letters(self) -> "ScoringFailureQuerySet":
        """Those that are not tried again until they are requeued, edited, or another model comes."""
        return self.filter(retry_at__isnull=True)

    def of_words(self) -> "ScoringFailureQuerySet":
        """Those that wait for a model that knows a word. They may be many, and are reported by the word."""
        return self.filter(reason=Exclusion.WORD)

    def without_words(self) -> "ScoringFailureQuerySet":
        """Those that a person can do something about, each by itself."""
        return self.exclude(reason=Exclusion.WORD)

    def of_customer(self, release: Any) -> models.Exists:
        """For a query of customers: whether one of these is of the present version and that release."""
        return models.Exists(self.filter(**SAME_VERSION, release=release))

    def of_present_life(self) -> "ScoringFailureQuerySet":
        """Without those of customers who are gone, were gone and came back since, or have objected to being scored."""
        return self.filter(models.Exists(Customer.objects.not_objected().filter(**SAME_LIFE)))

    @transaction.atomic
    def forget_former_lives(self) -> int:
        """Delete all that are not of a present life; how many there were. No score will ever take their place.

        Looked at twice, locked in between: a customer may come back and fail after the first look.
        """
        former = self.filter(~models.Exists(Customer.objects.not_objected().filter(**SAME_LIFE))).order_by()
        held = list(former.select_for_update(skip_locked=True).values_list("pk", flat=True))
        return former.filter(pk__in=held).delete()[0]


class ScoringFailure(models.Model):
    """A customer in a version that is excluded from scoring by a model, and why: it failed, or staff have said so."""

    customer_id = models.BigIntegerField("customer ID", primary_key=True)
    arrived_at = arrived_at()
    version = models.BigIntegerField()
    release = models.ForeignKey(ModelRelease, on_delete=models.CASCADE, related_name="+", db_index=False)
    reason = models.CharField(
        max_length=9,
        choices=[(it.value, it.label) for it in (Exclusion.MODEL, Exclusion.WORD, Exclusion.PERSON)],
        default=Exclusion.MODEL,
        db_default=Exclusion.MODEL,
    )
    word = models.CharField(
        max_length=80,
        blank=True,
        default="",
        db_default="",
        help_text="What the model does not know, such as country Italy.",
    )
    attempts = models.PositiveSmallIntegerField()
    error = models.CharField("details", max_length=500)
    first_failed_at = models.DateTimeField(db_default=Now())
    last_failed_at = models.DateTimeField(db_default=Now())
    retry_at = models.DateTimeField(
        null=True, help_text="Empty: excluded until retried, changed or scored by a new model."
    )

    objects = ScoringFailureQuerySet.as_manager()

    class Meta:
        verbose_name = "excluded customer"
        ordering = ["-last_failed_at"]

    def __str__(self) -> str:
        return f"customer {self.customer_id}: {self.error}"


class Pause(models.Model):
    """Scoring is paused while this row is there: rows go stale, edits go on, and ``analyze`` still answers."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    since = models.DateTimeField(db_default=Now())
    by = models.CharField(max_length=150, blank=True, default="")
    reason = models.CharField(
        max_length=500, blank=True, default="", help_text="Shown on customer pages and in the API."
    )

    class Meta:
        app_label = "events"  # where its table came into being
        verbose_name = verbose_name_plural = "pause"
        constraints = [models.CheckConstraint(condition=Q(id=1), name="pause_has_one_row")]

    def __str__(self) -> str:
        return "pause of scoring"
