"""What staff do about the risk of a customer: contacts, the worklist, and the customers left out of it."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from customers.models.customer import Customer


class Contact(models.Model):
    """One contact of staff with a customer, and the score that stood at that moment. Append-only."""

    class Channel(models.TextChoices):
        PHONE = "phone", "Phone"
        BRANCH = "branch", "Branch"
        EMAIL = "e-mail", "E-mail"
        LETTER = "letter", "Letter"
        MESSAGE = "message", "Text message"

    class Outcome(models.TextChoices):
        NOT_REACHED = "not reached", "Not reached"
        INFORMED = "informed", "Spoke with the customer"
        OFFER_MADE = "offer made", "Offer made"
        OFFER_ACCEPTED = "accepted", "Offer accepted"
        OFFER_DECLINED = "declined", "Offer declined"
        LEAVING = "leaving", "Customer intends to leave"
        NO_CONTACT = "no contact", "Asked not to be contacted"

    # Not checked by the database, as in ScoreRecord: a contact outlives a customer who leaves the table and returns.
    customer = models.ForeignKey(
        Customer, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="contacts"
    )
    at = models.DateTimeField("contacted at", db_default=Now(), editable=False)
    by = models.CharField("contacted by", max_length=150, editable=False)
    channel = models.CharField(max_length=11, choices=Channel)
    outcome = models.CharField(max_length=11, choices=Outcome)
    note = models.CharField(max_length=1000, blank=True, default="", db_default="")
    follow_up_on = models.DateField("follow up on", null=True, blank=True)

    score = models.FloatField("churn risk at contact", null=True, editable=False)
    reason_codes = ArrayField(
        models.SmallIntegerField(), null=True, editable=False, help_text="As in Customer, at that moment."
    )
    release_id = models.BigIntegerField("model release", null=True, editable=False)

    class Meta:
        ordering = ["-id"]
        default_permissions = ("add", "view")
        indexes = [
            models.Index(fields=["customer", "-id"], name="contact_customer"),
            models.Index(fields=["by", "-id"], name="contact_by"),
            # For the worklist, which passes over the contacts of the last days: rows come in the order of time.
            BrinIndex(fields=["at"], name="contact_time", pages_per_range=16),
            models.Index(fields=["follow_up_on"], name="contact_follow_up", condition=Q(follow_up_on__isnull=False)),
        ]

    def __str__(self) -> str:
        return f"contact {self.pk} with customer {self.customer_id}"


class WorklistItem(models.Model):
    """A customer whom one member of the staff has taken on, until that is done. One open item for each customer."""

    customer = models.ForeignKey(
        Customer, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="worklist_items"
    )
    claimed_by = models.CharField(max_length=150)
    claimed_at = models.DateTimeField(db_default=Now())
    snoozed_until = models.DateField(null=True, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)
    score = models.FloatField("churn risk when claimed", null=True)
    value_at_risk = models.DecimalField("value at risk when claimed", max_digits=15, decimal_places=2, null=True)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "worklist"
        default_permissions = ()
        permissions = [("work_worklist", "Can work through a worklist of customers")]
        constraints = [
            models.UniqueConstraint(fields=["customer"], condition=Q(done_at=None), name="worklist_item_open_once"),
        ]
        indexes = [models.Index(fields=["claimed_by", "-id"], name="worklist_item_claimed_by")]

    def __str__(self) -> str:
        return f"worklist item {self.pk} of customer {self.customer_id}"


class ControlGroup(models.Model):
    """Which customers no worklist contains, so that contacts can be compared with none. One row, never changed.

    A customer belongs to it when the first 32 bits of the MD5 of ``<seed>:<customer id>``, as a share of 2**32, are
    below ``share``: for good, and without a row for each.
    """

    id = models.SmallIntegerField(primary_key=True, default=1)
    seed = models.BigIntegerField()
    share = models.FloatField(help_text="Of all customers: 0.05 is 5 %.")
    since = models.DateTimeField(db_default=Now())

    class Meta:
        default_permissions = ()
        constraints = [
            models.CheckConstraint(condition=Q(id=1), name="control_group_has_one_row"),
            models.CheckConstraint(condition=Q(share__gt=0.0, share__lt=1.0), name="control_group_share_is_possible"),
        ]

    def __str__(self) -> str:
        return f"control group of {self.share:.1%}"
