"""The models that served, the one that serves, and those that wait for an approval."""

from typing import Any

from django.db import connections, models
from django.db.models.functions import Lower, Now
from django.db.models.lookups import Exact
from django.dispatch import Signal

# The columns that every batch needs; the others are read when they are asked for.
COLUMNS = ["id", "fingerprint", "arrays_sha256", "released_at"]
ACTIVE = "SELECT id, fingerprint, arrays_sha256, released_at FROM customers_modelrelease ORDER BY id DESC LIMIT 1"

# Sent when a proposal was approved: a worker puts the model into service.
model_is_approved = Signal()
# Sent when a proposed model is to be scored beside the active one: a worker does that.
shadow_is_started = Signal()


def different_persons(one: str, other: str) -> models.Q:
    """Both are named, and not the same, however the names are capitalised."""
    named = models.Q(**{f"{one}__isnull": False, f"{other}__isnull": False})
    return named & ~models.Q(Exact(Lower(one), Lower(other)))


class ModelReleaseQuerySet(models.QuerySet["ModelRelease"]):
    def active(self) -> "ModelRelease | None":
        """The release whose scores count: always the newest. Every batch asks, so it goes past the ORM's compiler."""
        with connections[self.db].cursor() as cursor:
            cursor.execute(ACTIVE)
            row = cursor.fetchone()
        return ModelRelease.from_db(self.db, COLUMNS, row) if row else None

    def active_id(self) -> int | None:
        """The id of that release; None before the first."""
        active = self.active()
        return active.pk if active else None

    def newest_id(self) -> models.QuerySet["ModelRelease", Any]:
        """The id of that release, for a subquery."""
        return self.order_by("-id").values("id")[:1]


class ModelRelease(models.Model):
    """One act of putting a model into service.

    The newest row *is* the active model: activating, and going back to a former file, are each one INSERT, so that
    "which model is active" is a single fact that no flag can contradict.
    """

    class Approval(models.TextChoices):
        """Who decided on it."""

        UNKNOWN = "", "Released by a version without approvals"
        FIRST = "first", "First model of this database"
        ONE_PERSON = "one person", "One person"
        TWO_PERSONS = "two persons", "Proposed by one person, approved by another"
        ROLLBACK = "rollback", "Rollback by one person"

    sha256 = models.CharField("SHA-256", max_length=64, help_text="Checksum of the model file.")
    fingerprint = models.CharField(
        max_length=64, help_text="Checksum of the model file with its country and gender codes."
    )
    arrays_sha256 = models.CharField(
        max_length=64,
        blank=True,
        default="",
        db_default="",
        help_text="Checksum of the compiled model.",
    )
    released_at = models.DateTimeField(db_default=Now())
    approval = models.CharField(
        max_length=11, choices=Approval, blank=True, default=Approval.UNKNOWN, db_default=Approval.UNKNOWN
    )
    proposed_by = models.CharField(max_length=150, null=True, blank=True)  # noqa: DJ001  a CHECK asks for a name
    approved_by = models.CharField(max_length=150, null=True, blank=True)  # noqa: DJ001
    note = models.CharField(max_length=500, blank=True, default="")
    metadata = models.JSONField(default=dict, blank=True, help_text="What model.json said of the file.")

    objects = ModelReleaseQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        permissions = [("approve_modelrelease", "Can approve or refuse a proposed model")]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(approval="two persons") | different_persons("proposed_by", "approved_by"),
                name="release_by_two_persons_names_both",
            ),
            models.CheckConstraint(
                condition=~models.Q(approval="rollback") | models.Q(proposed_by__isnull=False),
                name="rollback_names_who_made_it",
            ),
        ]

    def __str__(self) -> str:
        return f"release {self.pk} ({self.sha256[:12]})"

    @property
    def identity(self) -> str:
        """Which release this is, and of which model: after a restore another one may get the same id."""
        return f"{self.pk} {self.fingerprint}"


class ModelFile(models.Model):
    """All that a model consists of, for every host: what is loaded from here is held against its release.

    ``fingerprint`` names file and label codes, as in ``ModelRelease``. ``source`` is the model.pkl and ``arrays`` the
    compiled forest, both compressed; ``metadata`` is the whole model.json.
    """

    fingerprint = models.CharField(max_length=64, primary_key=True)
    sha256 = models.CharField(max_length=64)
    arrays_sha256 = models.CharField(max_length=64)
    source = models.BinaryField()
    arrays = models.BinaryField()
    metadata = models.JSONField(default=dict)
    stored_at = models.DateTimeField(db_default=Now())

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"model {self.sha256[:12]}"


class ModelProposal(models.Model):
    """A model that one person wants in service, or a rollback that another person is to countersign.

    A proposal binds the fingerprint: what is approved is this model and no other. ``release`` is what came of it.
    """

    class Kind(models.TextChoices):
        RELEASE = "release", "Release"
        ROLLBACK = "rollback", "Rollback"

    class State(models.TextChoices):
        OPEN = "open", "Waiting for approval"
        APPROVED = "approved", "Approved"
        REFUSED = "refused", "Refused"

    kind = models.CharField(max_length=8, choices=Kind, default=Kind.RELEASE)
    state = models.CharField(max_length=8, choices=State, default=State.OPEN)
    sha256 = models.CharField("checksum of the model file", max_length=64)
    fingerprint = models.CharField(max_length=64)
    arrays_sha256 = models.CharField(max_length=64)
    metadata = models.JSONField(default=dict, blank=True)
    note = models.CharField(max_length=500, blank=True, default="")
    findings = models.JSONField("verified", default=list, blank=True)
    shift = models.JSONField("change of churn risks", null=True, blank=True)
    proposed_by = models.CharField(max_length=150)
    proposed_at = models.DateTimeField(db_default=Now())
    decided_by = models.CharField(max_length=150, null=True, blank=True)  # noqa: DJ001  a CHECK asks for a name
    decided_at = models.DateTimeField(null=True, blank=True)
    reason = models.CharField(max_length=500, blank=True, default="")
    release = models.ForeignKey(ModelRelease, on_delete=models.PROTECT, null=True, blank=True, related_name="proposals")

    class Meta:
        ordering = ["-id"]
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(
                condition=models.Q(state="open", decided_by__isnull=True, decided_at__isnull=True)
                | models.Q(state__in=("approved", "refused"), decided_by__isnull=False, decided_at__isnull=False),
                name="proposal_names_who_decided",
            ),
            models.CheckConstraint(
                condition=~models.Q(state="approved") | different_persons("proposed_by", "decided_by"),
                name="proposal_is_approved_by_another",
            ),
            models.CheckConstraint(condition=~models.Q(proposed_by=""), name="proposal_names_who_proposed"),
            models.UniqueConstraint(
                fields=["fingerprint"], condition=models.Q(state="open", kind="release"), name="proposal_open_once"
            ),
        ]

    def __str__(self) -> str:
        return f"proposal {self.pk} ({self.sha256[:12]})"
