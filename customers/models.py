"""What the bank knows of its customers, what the model said of them, and which model said it."""

from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.db import connections, models
from django.db.models import F, OuterRef, Q
from django.db.models.functions import Cast, Collate, Now, Upper
from django.db.models.lookups import Exact
from django.utils import timezone

from customers.fields import arrived_at, contributions
from customers.imports.models import ImportBatch as ImportBatch
from customers.imports.models import ImportPiece as ImportPiece
from customers.ml_service.schema import BOUNDS, FEATURES, GENDERS, GEOGRAPHIES

# The two columns that every batch needs; the others are read when somebody asks for them.
ACTIVE = "SELECT id, fingerprint FROM customers_modelrelease ORDER BY id DESC LIMIT 1"

BY_RISK = (F("churn_risk_score").desc(nulls_last=True), F("customer_id").desc())
LARGEST_CUSTOMER_ID = 2**63 - 1  # what a bigint holds
# For a subquery: the id alone may be that of a former life, whose versions began at 1, too.
SAME_LIFE = {"customer_id": OuterRef("customer_id"), "arrived_at": OuterRef("arrived_at")}
SAME_VERSION = {**SAME_LIFE, "version": OuterRef("version")}


class ModelReleaseQuerySet(models.QuerySet["ModelRelease"]):
    def active(self) -> "ModelRelease | None":
        """The release whose scores count: always the newest. Every batch asks, so it goes past the ORM's compiler."""
        with connections[self.db].cursor() as cursor:
            cursor.execute(ACTIVE)
            row = cursor.fetchone()
        return ModelRelease.from_db(self.db, ["id", "fingerprint"], row) if row else None

    def newest_id(self) -> models.QuerySet["ModelRelease", Any]:
        """The id of that release, for a subquery."""
        return self.order_by("-id").values("id")[:1]


class ModelRelease(models.Model):
    """One act of putting a model file into service.

    The newest row *is* the active model: activating, and going back to a former file, are each one INSERT, so that
    "which model is active" is a single fact that no flag can contradict.
    """

    sha256 = models.CharField(max_length=64, help_text="Checksum of the model file.")
    fingerprint = models.CharField(
        max_length=64, help_text="Of the file and its label codes: the same file gives other scores with other codes."
    )
    released_at = models.DateTimeField(db_default=Now())
    note = models.CharField(max_length=500, blank=True, default="")
    metadata = models.JSONField(default=dict, blank=True, help_text="What model.json said of the file.")

    objects = ModelReleaseQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"release {self.pk} ({self.sha256[:12]})"

    @property
    def identity(self) -> str:
        """Which release this is, and of which model: after a restore another one may get the same id."""
        return f"{self.pk} {self.fingerprint}"


class CustomerQuerySet(models.QuerySet["Customer"]):
    def stale(self) -> "CustomerQuerySet":
        """Customers whose stored score is not that of the active model for the fields as they are."""
        return self.filter(
            Q(stale_since__isnull=False) | ~Q(scored_by=models.Subquery(ModelRelease.objects.newest_id()))
        )

    def with_active_release(self) -> "CustomerQuerySet":
        """With ``active_release`` on each customer: the id of the release whose scores count."""
        return self.annotate(active_release=models.Subquery(ModelRelease.objects.newest_id()))

    def with_failure(self) -> "CustomerQuerySet":
        """With ``failure_error`` and ``failure_retry_at``: of the present version and the active model, else None."""
        failure = ScoringFailure.objects.filter(
            **SAME_VERSION, release=models.Subquery(ModelRelease.objects.newest_id())
        )
        return self.annotate(
            failure_error=models.Subquery(failure.values("error")),
            failure_retry_at=models.Subquery(failure.values("retry_at")),
        )

    def riskiest_first(self) -> "CustomerQuerySet":
        """Highest churn probability first, the unscored last; served by an index."""
        return self.order_by(F("churn_risk_score").desc(nulls_last=True), "-customer_id")


def _within(field: str) -> Q:
    bounds = BOUNDS[field]
    return Q(**{f"{field}__range": (bounds.low, bounds.high)})


class Behaviour(models.Model):
    """The nine behavioural fields that the model reads, and who gave them their values."""

    class Geography(models.TextChoices):
        FRANCE = "France"
        GERMANY = "Germany"
        SPAIN = "Spain"

    class Gender(models.TextChoices):
        FEMALE = "Female"
        MALE = "Male"

    credit_score = models.SmallIntegerField()
    geography = models.CharField(max_length=10, choices=Geography)
    gender = models.CharField(max_length=6, choices=Gender)
    age = models.SmallIntegerField(help_text="Years.")
    tenure = models.SmallIntegerField(help_text="Years with the bank.")
    balance = models.DecimalField(max_digits=15, decimal_places=2)
    num_of_products = models.SmallIntegerField("products")
    has_cr_card = models.BooleanField("has credit card")
    is_active_member = models.BooleanField("active member")

    edited_by = models.CharField(
        max_length=80,
        editable=False,
        default="",
        db_default="",
        help_text="django, django:<id of the user>, or sql:<role>; empty for a customer who came with these values.",
    )
    arrived_at = arrived_at()

    class Meta:
        abstract = True

    def features(self) -> dict[str, Any]:
        """The nine values by field, as the model service takes them."""
        return {field: getattr(self, field) for field in FEATURES}


class Customer(Behaviour):
    """A customer, the nine behavioural fields, and the score that follows them.

    The columns from ``edited_by`` on belong to the engine: database triggers move the first five, the scorer alone
    writes the rest, and whatever else is written there is quietly kept out.
    """

    customer_id = models.BigIntegerField("customer ID", primary_key=True)
    surname = models.CharField(max_length=100, blank=True, default="", db_default="")

    edited_at = models.DateTimeField(
        null=True, editable=False, help_text="When a row that was stale already was edited again."
    )
    churn_risk_score = models.FloatField("churn risk", null=True, blank=True, editable=False)
    version = models.BigIntegerField(db_default=1, editable=False, help_text="Moves with every behavioural change.")
    stale_since = models.DateTimeField(
        null=True, db_default=Now(), editable=False, help_text="When the oldest change that is not yet scored was made."
    )
    scored_version = models.BigIntegerField(null=True, editable=False, help_text="The version that was scored.")
    scored_by = models.ForeignKey(
        ModelRelease,
        null=True,
        editable=False,
        on_delete=models.PROTECT,
        related_name="+",
        # Checking the key would lock one and the same release row for every score written; an index on it, like one
        # on stale_since, would be written with every score and every edit: stale rows are found by their marks.
        db_constraint=False,
        db_index=False,
    )
    scored_at = models.DateTimeField(null=True, editable=False)
    contributions = contributions(editable=False)
    reason_codes = ArrayField(
        models.SmallIntegerField(),
        null=True,
        blank=True,
        editable=False,
        help_text="The top reasons for the score, first things first: numbers of ml_service/reason_codes.py.",
    )

    objects = CustomerQuerySet.as_manager()

    class Meta:
        permissions = [
            ("rescore_customer", "Can have customers rescored, set them aside and requeue them"),
            ("export_customer", "Can export customers to a file"),
        ]
        indexes = [
            # For the admin's list; each score writes them all, the last one of few customers: docs/decisions/0016. The
            # first has what the list is filtered by, so that rows that do not match are passed within the index.
            models.Index(
                *BY_RISK,
                *("geography", "num_of_products", "is_active_member", "has_cr_card"),
                name="customer_by_risk",
            ),
            models.Index(F("reason_codes__0"), *BY_RISK, name="customer_by_main_reason"),
            models.Index(Collate(Upper("surname"), "C"), name="customer_surname"),
            models.Index(
                F("num_of_products"), *BY_RISK, condition=Q(num_of_products__gte=3), name="customer_many_products"
            ),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(customer_id__gte=1), name="customer_id_is_positive"),
            models.CheckConstraint(condition=Q(geography__in=GEOGRAPHIES), name="customer_geography_is_known"),
            models.CheckConstraint(condition=Q(gender__in=GENDERS), name="customer_gender_is_known"),
            # PostgreSQL sorts NaN above every number: bounds refuse it too, but would not say what is wrong.
            models.CheckConstraint(
                condition=~Q(Exact(Cast("balance", models.TextField()), models.Value("NaN"))),
                name="customer_balance_is_a_number",
            ),
            *(
                models.CheckConstraint(condition=_within(field), name=f"customer_{field}_is_possible")
                for field in ("credit_score", "age", "tenure", "balance", "num_of_products")
            ),
            models.CheckConstraint(
                condition=Q(churn_risk_score__isnull=True) | Q(churn_risk_score__range=(0.0, 1.0)),
                name="customer_score_is_a_probability",
            ),
            models.CheckConstraint(
                condition=Q(stale_since__isnull=False)
                | Q(churn_risk_score__isnull=False, scored_version__isnull=False, scored_version=F("version")),
                name="customer_current_means_scored",
            ),
        ]

    def __str__(self) -> str:
        return f"customer {self.customer_id}"

    def is_current(self) -> bool:
        """Whether the stored score is the active model's answer to the fields of this row."""
        active = ModelRelease.objects.active()
        return self.stale_since is None and active is not None and self.scored_by_id == active.id


class ScoreRecord(models.Model):
    """One stored score with what it answers, kept for good: appended by the scorer together with the score itself."""

    class Cause(models.TextChoices):
        CREATED = "created"  # the customer's first score
        RETURNED = "returned"  # the first since the customer came back
        EDITED = "edited"
        RELEASE = "release"  # only the model has changed
        ANALYZE = "analyze"  # somebody asked
        RETRY = "retry"  # the model had no answer before
        AUDIT = "audit"  # a wrong score was found and repaired

    # Not a foreign key: the record outlives the customer, and a key would be checked once for every score written.
    customer_id = models.BigIntegerField()
    cause = models.CharField(max_length=8, choices=Cause, db_default="", default="")

    # The values scored, as in Behaviour. Empty, like the cause, in records from before these columns.
    credit_score = models.SmallIntegerField(null=True)
    geography = models.CharField(max_length=10, default="", db_default="")
    gender = models.CharField(max_length=6, default="", db_default="")
    age = models.SmallIntegerField(null=True)
    tenure = models.SmallIntegerField(null=True)
    balance = models.DecimalField(max_digits=15, decimal_places=2, null=True)
    num_of_products = models.SmallIntegerField(null=True)
    has_cr_card = models.BooleanField(null=True)
    is_active_member = models.BooleanField(null=True)
    edited_by = models.CharField(max_length=80, default="", db_default="", help_text="As in Behaviour.")
    arrived_at = arrived_at()

    score = models.FloatField()
    previous_score = models.FloatField(null=True, help_text="Of a customer who came back: the last one known.")
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
        return f"score of customer {self.customer_id} at {self.scored_at:%Y-%m-%d %H:%M:%S}"


class UnscoredVersion(Behaviour):
    """What a customer was between two edits that came faster than the scorer. Written by a trigger, append-only.

    Every version of a customer is thus kept once: here when it was overwritten or deleted before it was scored, with
    its score in ``ScoreRecord`` otherwise, or in the customer itself while it waits.
    """

    customer_id = models.BigIntegerField()
    version = models.BigIntegerField()
    edited_at = models.DateTimeField(help_text="When the customer came to these values.")

    class Meta:
        indexes = [models.Index(fields=["customer_id", "-id"], name="unscored_version_customer")]

    def __str__(self) -> str:
        return f"version {self.version} of customer {self.customer_id}"


class StaleMark(models.Model):
    """A hint where stale customers are: those with these ids may be. No mark is a promise of staleness; the customer's
    own row decides.

    Triggers insert marks in the transaction of the edit, ``customers/marks.py`` takes them and knows their kinds. The
    table is unlogged: after a crash of the database it is empty, and all customers are looked at once. It has no key in
    the database, so that no editor can wait for another, or for a worker.
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
        return f"{len(self.customer_ids)} customers to be scored again"


class ScoringFailureQuerySet(models.QuerySet["ScoringFailure"]):
    def set_aside(self) -> "ScoringFailureQuerySet":
        """The dead letters: nobody tries them again until they are requeued, edited, or another model comes."""
        return self.filter(retry_at__isnull=True)

    def of_customer(self, release: int | None) -> models.Exists:
        """For a query of customers: whether one of these is of the present version and that release."""
        return models.Exists(self.filter(**SAME_VERSION, release=release))

    def of_present_life(self) -> "ScoringFailureQuerySet":
        """Without those of customers who are gone, or who were gone and came back since."""
        return self.filter(models.Exists(Customer.objects.filter(**SAME_LIFE)))


class ScoringFailure(models.Model):
    """A customer in a version that a model could not score: how often it was tried, and why it failed."""

    customer_id = models.BigIntegerField("customer ID", primary_key=True)
    arrived_at = arrived_at()
    version = models.BigIntegerField()
    release = models.ForeignKey(ModelRelease, on_delete=models.CASCADE, related_name="+", db_index=False)
    attempts = models.PositiveSmallIntegerField()
    error = models.CharField(max_length=500)
    first_failed_at = models.DateTimeField(db_default=Now())
    last_failed_at = models.DateTimeField(db_default=Now())
    retry_at = models.DateTimeField(null=True, help_text="Empty: set aside.")

    objects = ScoringFailureQuerySet.as_manager()

    class Meta:
        ordering = ["-last_failed_at"]

    def __str__(self) -> str:
        return f"customer {self.customer_id}, version {self.version}: {self.error}"


class AuditFindingQuerySet(models.QuerySet["AuditFinding"]):
    def open(self) -> "AuditFindingQuerySet":
        """Wrong scores that are still stored."""
        return self.filter(_still_stored(), repaired_at__isnull=True)

    def close_settled(self) -> int:
        """Note of those whose wrong score is gone that it is: rescored, edited, or deleted with the customer."""
        return self.filter(~_still_stored(), repaired_at__isnull=True).update(repaired_at=Now())


def _still_stored() -> models.Exists:
    """Whether the customer of a finding still carries that score and calls it current."""
    return models.Exists(
        Customer.objects.filter(
            customer_id=models.OuterRef("customer_id"),
            version=models.OuterRef("version"),
            churn_risk_score=models.OuterRef("stored_score"),
            scored_by=models.OuterRef("release"),
            stale_since__isnull=True,
        )
    )


class AuditFinding(models.Model):
    """A stored score that called itself current and was not the model's answer. Only ``repaired_at`` ever changes."""

    # Not a foreign key, as in ScoreRecord: the finding outlives the customer.
    customer_id = models.BigIntegerField()
    stored_score = models.FloatField()
    expected_score = models.FloatField(help_text="What scikit-learn says of the same row.")
    version = models.BigIntegerField(help_text="The version of the customer that was audited.")
    release = models.ForeignKey(ModelRelease, on_delete=models.PROTECT, related_name="+", db_constraint=False)
    found_at = models.DateTimeField(db_default=Now())
    repaired_at = models.DateTimeField(null=True, help_text="When the wrong score was seen to be gone.")

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
    """How far the portfolio had moved from what a release was trained on; see ``customers.drift``."""

    release = models.ForeignKey(ModelRelease, on_delete=models.PROTECT, related_name="+", db_constraint=False)
    checked_at = models.DateTimeField(db_default=Now())
    reference_rows = models.PositiveIntegerField(help_text="Training customers.")
    customers = models.PositiveBigIntegerField()
    scores = models.PositiveBigIntegerField(help_text="Of customers who were not stale.")
    shifts = models.JSONField(help_text="Of each column: its population stability index, and the bin that moved most.")

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"drift at {self.checked_at:%Y-%m-%d %H:%M:%S}"


class Outcome(models.Model):
    """What the bank says became of a customer: the day he left, or a day on which he had not left yet."""

    # Not a foreign key, as in ScoreRecord: who has left may be deleted.
    customer_id = models.BigIntegerField(primary_key=True)
    left_on = models.DateField(null=True)
    stayed_until = models.DateField(null=True, help_text="The last day on which he is known to have been a customer.")

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
    """The bank's word that everybody who left up to a day has been imported: whoever is missing stayed. The newest
    word counts, so that a wrong one can be corrected."""

    until = models.DateField()
    said_at = models.DateTimeField(db_default=Now())

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"outcomes are complete until {self.until}"
