"""Rules, the alerts that they raise, and the messages that report these."""

from django.conf import settings
from django.contrib.postgres.functions import RandomUUID
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from customers.ml_service.messages import NO_BREAK
from customers.ml_service.schema import HELD, LONGEST_WORD
from customers.models import Customer
from customers.models.customer import is_word
from customers.presentation.numbers import format_count, format_money

LONGEST_DAYS = 365


class AlertRule(models.Model):
    """When staff must learn of a customer. Read by a trigger with every score stored: no row that these constraints
    let through can make it fail.

    A threshold rule raises an alert when a score that was below ``threshold``, or was not there, is that or more. A
    rise rule does when a score goes up to more than ``rise`` above the lowest that stood in the last ``days``; what
    stood before this rule's last alert on that customer does not count.
    """

    class Kind(models.TextChoices):
        THRESHOLD = "threshold", "Risk reaches a threshold"
        RISE = "rise", "Risk rises within a number of days"

    name = models.CharField(max_length=100)
    active = models.BooleanField(default=True)
    kind = models.CharField("kind of rule", max_length=9, choices=Kind)
    # Shares of 1, as scores are; staff type them in percent and points: events/admin/alert_rule_form.py.
    threshold = models.FloatField(null=True, blank=True)
    rise = models.FloatField(null=True, blank=True)
    days = models.SmallIntegerField(
        null=True, blank=True, help_text=f"For a rise: the number of days, {LONGEST_DAYS} at most."
    )
    counts_releases = models.BooleanField(
        "include changes by a new model",
        default=False,
        help_text="If not ticked, a risk that changed only because a new model was released raises no alert.",
    )

    # The segment: an empty field asks for nothing.
    geography = models.CharField("country", max_length=LONGEST_WORD, blank=True, default="")
    is_active_member = models.BooleanField("active member", null=True, blank=True)
    num_of_products = models.SmallIntegerField("products", null=True, blank=True)
    has_cr_card = models.BooleanField("credit card", null=True, blank=True)
    least_balance = models.DecimalField("balance of at least", max_digits=15, decimal_places=2, null=True, blank=True)

    recipients = models.TextField(
        "e-mail recipients",
        blank=True,
        default="",
        help_text="Addresses, separated by commas or on separate lines. Leave empty for no e-mail.",
    )
    by_webhook = models.BooleanField("notify the webhook", default=False)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["name", "id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(
                    kind="threshold",
                    threshold__isnull=False,
                    threshold__gt=0.0,
                    threshold__lte=1.0,
                    rise__isnull=True,
                    days__isnull=True,
                )
                | Q(
                    kind="rise",
                    threshold__isnull=True,
                    rise__isnull=False,
                    rise__gt=0.0,
                    rise__lt=1.0,
                    days__isnull=False,
                    days__range=(1, LONGEST_DAYS),
                ),
                name="alert_rule_says_when",
                violation_error_message="A threshold rule needs a threshold up to 100 %%, and neither rise nor days. "
                f"A rise rule needs a rise of less than 100 points and 1 to {LONGEST_DAYS} days, and no threshold.",
            ),
            models.CheckConstraint(
                condition=Q(geography="") | is_word("geography"), name="alert_rule_country_is_a_word"
            ),
            models.CheckConstraint(
                condition=Q(num_of_products__isnull=True) | Q(num_of_products__range=(1, HELD["num_of_products"].high)),
                name="alert_rule_products_are_possible",
            ),
            models.CheckConstraint(
                # NaN is above every bound.
                condition=Q(least_balance__isnull=True) | Q(least_balance__range=(0, HELD["balance"].high)),
                name="alert_rule_balance_is_possible",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        for address in self.addresses():
            try:
                validate_email(address)
            except ValidationError:
                raise ValidationError({"recipients": f"{address} is not an e-mail address."}) from None
        if self.days and self.days > settings.HISTORY_DAYS:
            raise ValidationError({"days": f"Enter {settings.HISTORY_DAYS} days or less: history is kept no longer."})

    def describe(self) -> str:
        """When it raises an alert: ``Risk reaches 75 %``, ``Risk rises by more than 30 points within 7 days``."""
        if self.kind == self.Kind.RISE:
            within = format_count(self.days or 0, "day", "days")
            return f"Risk rises by more than {format_hundredths(self.rise)} points within {within}"
        return f"Risk reaches {format_hundredths(self.threshold)}{NO_BREAK}%"

    def describe_segment(self) -> str:
        """Whom it is for: ``Germany, active members``; empty where it is for all customers."""
        parts = [
            self.geography,
            {None: "", True: "active members", False: "inactive members"}[self.is_active_member],
            "" if self.num_of_products is None else format_count(self.num_of_products, "product", "products"),
            {None: "", True: "with a credit card", False: "without a credit card"}[self.has_cr_card],
            "" if self.least_balance is None else f"balance of {format_money(self.least_balance)} or more",
        ]
        return ", ".join(filter(None, parts))

    def addresses(self) -> list[str]:
        """Who gets an e-mail."""
        return self.recipients.replace(",", " ").replace(";", " ").split()


def format_hundredths(share: float | None) -> str:
    """``75`` of 0.75: percent or points as staff type them, without a rounding error behind."""
    return f"{100 * (share or 0):.10g}"


class AlertQuerySet(models.QuerySet["Alert"]):
    def open(self) -> "AlertQuerySet":
        """Those that are not acknowledged."""
        return self.filter(acknowledged_at__isnull=True)

    def not_objected(self) -> "AlertQuerySet":
        """Without those on customers who have objected to profiling since."""
        objected = Customer.objects.filter(customer_id=models.OuterRef("customer_id"), objected_at__isnull=False)
        return self.filter(~models.Exists(objected))

    def with_surnames(self) -> "AlertQuerySet":
        """With ``surname`` on each; None for customers who are gone."""
        customers = Customer.objects.filter(customer_id=models.OuterRef("customer_id"))
        return self.annotate(surname=models.Subquery(customers.values("surname")[:1]))

    def acknowledge(self, by: str, note: str = "") -> int:
        """Acknowledge those of them that are open, in the name of a user; how many these were."""
        return self.open().update(acknowledged_at=Now(), acknowledged_by=by[:150], note=note[:500])


class Alert(models.Model):
    """One score that met one rule. Appended by a trigger in the transaction that stored the score."""

    # Neither is checked by the database: that would lock one and the same rule for every alert raised.
    rule = models.ForeignKey(AlertRule, on_delete=models.PROTECT, db_constraint=False, db_index=False)
    record_id = models.BigIntegerField(help_text="The score record that met the rule.")
    batch = models.BigIntegerField(help_text="The same for all alerts that were raised together.")
    customer_id = models.BigIntegerField("customer ID")
    score = models.FloatField()
    score_before = models.FloatField(
        null=True, help_text="The risk before; for a rise, the lowest that it is measured from. Empty: the first score."
    )
    raised_at = models.DateTimeField()
    acknowledged_at = models.DateTimeField(null=True, blank=True)
    acknowledged_by = models.CharField(max_length=150, blank=True, default="", db_default="")
    note = models.CharField(max_length=500, blank=True, default="", db_default="")

    objects = AlertQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        permissions = [("acknowledge_alert", "Can acknowledge alerts")]
        constraints = [models.UniqueConstraint(fields=["rule", "record_id"], name="alert_once_for_a_score")]
        indexes = [
            models.Index(fields=["customer_id", "rule", "-record_id"], name="alert_customer"),
            models.Index(fields=["batch"], name="alert_batch"),
            models.Index(fields=["-id"], name="alert_open", condition=Q(acknowledged_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"alert {self.pk} on customer {self.customer_id}"


class DeliveryQuerySet(models.QuerySet["Delivery"]):
    def waiting(self) -> "DeliveryQuerySet":
        return self.filter(state=Delivery.State.WAITING)

    def due(self) -> "DeliveryQuerySet":
        """Those to be sent now."""
        return self.waiting().filter(due_at__lte=Now())


class Delivery(models.Model):
    """A message that reports the alerts of one rule and batch, or of several. Made by the trigger with the alerts.

    The job that sends one folds into it what else waits for that rule in that way, once, before the first attempt:
    every attempt says the same under the same key.
    """

    class Channel(models.TextChoices):
        EMAIL = "e-mail", "E-mail"
        WEBHOOK = "webhook", "Webhook"

    class State(models.TextChoices):
        WAITING = "waiting", "Waiting"
        FOLDED = "folded", "Sent with another message"
        SENT = "sent", "Sent"
        GIVEN_UP = "given up", "Not sent"

    rule = models.ForeignKey(AlertRule, on_delete=models.PROTECT, db_constraint=False, db_index=False)
    channel = models.CharField(max_length=7, choices=Channel)
    batch = models.BigIntegerField()
    alerts = models.IntegerField(help_text="The number of alerts that it reports.")
    key = models.UUIDField(db_default=RandomUUID(), editable=False, help_text="The same for every attempt.")
    state = models.CharField(max_length=8, choices=State, default=State.WAITING, db_default=State.WAITING)
    into = models.ForeignKey("self", null=True, on_delete=models.CASCADE, db_constraint=False, verbose_name="sent with")
    attempts = models.PositiveSmallIntegerField(default=0, db_default=0)
    created_at = models.DateTimeField(db_default=Now())
    first_tried_at = models.DateTimeField(null=True)
    due_at = models.DateTimeField("next attempt", db_default=Now())
    ended_at = models.DateTimeField(null=True)
    error = models.CharField("last error", max_length=500, blank=True, default="", db_default="")

    objects = DeliveryQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        verbose_name = "message"
        indexes = [
            models.Index(fields=["due_at"], name="delivery_due", condition=Q(state="waiting")),
            models.Index(fields=["ended_at"], name="delivery_given_up", condition=Q(state="given up")),
            models.Index(fields=["rule", "channel", "first_tried_at"], name="delivery_pace"),
        ]

    def __str__(self) -> str:
        return f"{self.get_channel_display()} {self.pk} on {format_count(self.alerts, 'alert', 'alerts')}"


class Messenger(models.Model):
    """A lease as ``events.models.engine.Watch`` has it, for messages: until then no other job need be queued."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    called_until = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(id=1), name="messenger_has_one_row")]

    def __str__(self) -> str:
        return f"called until {self.called_until}"
