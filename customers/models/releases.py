"""The models that served, and the one that serves."""

from typing import Any

from django.db import connections, models
from django.db.models.functions import Now

# The columns that every batch needs; the others are read when they are asked for.
ACTIVE = "SELECT id, fingerprint, arrays_sha256 FROM customers_modelrelease ORDER BY id DESC LIMIT 1"


class ModelReleaseQuerySet(models.QuerySet["ModelRelease"]):
    def active(self) -> "ModelRelease | None":
        """The release whose scores count: always the newest. Every batch asks, so it goes past the ORM's compiler."""
        with connections[self.db].cursor() as cursor:
            cursor.execute(ACTIVE)
            row = cursor.fetchone()
        return ModelRelease.from_db(self.db, ["id", "fingerprint", "arrays_sha256"], row) if row else None

    def active_id(self) -> int | None:
        """The id of that release; None before the first."""
        active = self.active()
        return active.pk if active else None

    def newest_id(self) -> models.QuerySet["ModelRelease", Any]:
        """The id of that release, for a subquery."""
        return self.order_by("-id").values("id")[:1]


class ModelRelease(models.Model):
    """One act of putting a model file into service.

    The newest row *is* the active model: activating, and going back to a former file, are each one INSERT, so that
    "which model is active" is a single fact that no flag can contradict.
    """

    sha256 = models.CharField("SHA-256", max_length=64, help_text="Checksum of the model file.")
    fingerprint = models.CharField(
        max_length=64, help_text="Of the file with its codes of countries and genders, which decide its scores, too."
    )
    arrays_sha256 = models.CharField(
        max_length=64,
        blank=True,
        default="",
        db_default="",
        help_text="Checksum of the compiled model; empty: not known yet.",
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
