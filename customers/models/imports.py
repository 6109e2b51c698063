"""An uploaded file on its way into the customers, and its bytes: web and worker may be different hosts."""

from typing import Any

from django.conf import settings
from django.db import models
from django.db.models.functions import Now
from django.dispatch import Signal
from django.utils.formats import date_format
from django.utils.timezone import localtime

# Sent in the transaction that leaves an import to the workers. A job may run twice, late, or get lost with the queue:
# what is to be done stands in the row.
import_is_due = Signal()


class ImportBatch(models.Model):
    """One uploaded file: who brought it, how far it is, and what became of its rows.

    The row is the truth: a worker does what the state says, whatever job made it look. States change by ``move`` alone.
    """

    class State(models.TextChoices):
        UPLOADED = "uploaded", "Checking"
        REFUSED = "refused", "Refused"
        CHECKED = "checked", "Checked, awaiting confirmation"
        CONFIRMED = "confirmed", "Importing"
        STOPPED = "stopped", "Stopped before completion"
        IMPORTED = "imported", "Imported"
        CANCELLED = "cancelled", "Cancelled"

    # What workers have to act on, what staff may act on, and what is over.
    DUE = (State.UPLOADED, State.CONFIRMED)
    WAITING = (State.CHECKED, State.STOPPED)
    FINAL = (State.REFUSED, State.IMPORTED, State.CANCELLED)

    DECIMALS = (("comma", "Comma: 1.234,56"), ("point", "Point: 1,234.56"))

    file_name = models.CharField("file", max_length=200)
    file_bytes = models.PositiveBigIntegerField("size in bytes")
    sha256 = models.CharField("SHA-256", max_length=64)
    uploaded_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    uploaded_at = models.DateTimeField(db_default=Now())
    confirmed_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    confirmed_at = models.DateTimeField(null=True)
    state = models.CharField(max_length=10, choices=State, default=State.UPLOADED, db_default=State.UPLOADED)
    state_since = models.DateTimeField(db_default=Now())
    attempts = models.PositiveSmallIntegerField(
        default=0, db_default=0, help_text="Attempts in a row that did not succeed."
    )
    decimal = models.CharField(
        "decimal mark",
        max_length=5,
        blank=True,
        default="",
        db_default="",
        choices=DECIMALS,
        help_text="Used only for columns whose numbers do not show it.",
    )
    conventions = models.JSONField(
        null=True, editable=False, help_text="Names of columns, from the upload on, and words, as the check knew them."
    )
    message = models.CharField(
        max_length=1000, blank=True, default="", db_default="", help_text="Why the import stopped."
    )

    # What the check found, and what had changed since the one before; the rows that can't be imported are in pieces.
    checked_at = models.DateTimeField(null=True)
    changed_since_check = models.JSONField(
        null=True,
        help_text="Number of customers whose changes an import would have overwritten, and the first of their IDs.",
    )
    new = models.PositiveIntegerField(null=True)
    changed = models.PositiveIntegerField(null=True)
    unchanged = models.PositiveIntegerField(null=True)
    rejected = models.PositiveIntegerField(null=True)
    notes = models.JSONField(default=list, help_text="Ignored columns, and why rows were rejected.")

    # What the import has done so far, written with each slice of customers.
    stored_up_to = models.BigIntegerField(default=0, db_default=0, help_text="The last customer ID that was imported.")
    stored_new = models.PositiveIntegerField(default=0, db_default=0)
    stored_changed = models.PositiveIntegerField(default=0, db_default=0)
    stored_rows = models.PositiveIntegerField(default=0, db_default=0)

    class Meta:
        ordering = ["-id"]
        verbose_name = "import"
        indexes = [
            models.Index(fields=["id"], condition=models.Q(state__in=["uploaded", "confirmed"]), name="import_due"),
        ]

    def __str__(self) -> str:
        return f"{self.file_name}, {date_format(localtime(self.uploaded_at), 'DATETIME_FORMAT')}"

    @property
    def good_rows(self) -> int:
        """Rows that can be imported, as the check has counted them."""
        return (self.new or 0) + (self.changed or 0) + (self.unchanged or 0)

    def move(self, origin: tuple[str, ...], target: str, **fields: Any) -> bool:
        """Change the state, and these fields with it, unless another session was faster."""
        of_this = ImportBatch.objects.filter(pk=self.pk, state__in=origin)
        return bool(of_this.update(state=target, state_since=Now(), attempts=0, **fields))


class LastGivenId(models.Model):
    """The one row says which customer ID an import has given last: a deleted customer's is not given again."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    value = models.BigIntegerField()

    class Meta:
        default_permissions = ()
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="last_given_id_is_one")]

    def __str__(self) -> str:
        return f"customer ID {self.value}"


class ImportPiece(models.Model):
    """Some bytes of the uploaded file, of its rejected rows, or of what its customers were like when it was checked.

    Gone when they are not needed any more.
    """

    class Of(models.TextChoices):
        FILE = "file"
        REJECTS = "rejects"
        SEEN = "seen"

    batch = models.ForeignKey(ImportBatch, on_delete=models.CASCADE, related_name="pieces", db_index=False)
    of = models.CharField(max_length=7, choices=Of)
    number = models.PositiveIntegerField()
    content = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["batch", "of", "number"], name="import_piece_once")]

    def __str__(self) -> str:
        return f"piece {self.number} of {self.of}"
