"""What the bank knows of a customer, and what the active model says of it."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Cast, Collate, Now, Trim, Upper
from django.db.models.lookups import Exact

from customers.fields import arrived_at, contributions
from customers.ml_service.schema import FEATURES, LONGEST_WORD, WORD_FIELDS
from customers.models.bounds import BOUNDED, WithinBounds
from customers.models.releases import ModelRelease

BY_RISK = (F("churn_risk_score").desc(nulls_last=True), F("customer_id").desc())
BY_VALUE = (F("value_at_risk").desc(nulls_last=True), F("customer_id").desc())
FILTERED_BY = ("geography", "num_of_products", "is_active_member", "has_cr_card")
LARGEST_CUSTOMER_ID = 2**63 - 1  # what a bigint holds
POSSIBLE_TIMES = (datetime(1900, 1, 1, tzinfo=UTC), datetime(9999, 1, 1, tzinfo=UTC))  # of an objection


OBJECTION = "objected_at"


def is_stale(release: Any) -> Q:
    """Edited since it was scored, or scored by another release than this; ``scoring.staleness`` says so in SQL.

    A customer who has objected to being scored is neither stale nor current.
    """
    return Q(objected_at__isnull=True) & (Q(stale_since__isnull=False) | ~Q(scored_by=release))


def is_current_by(release: Any) -> Q:
    """Scored by this release for the fields as they are."""
    return Q(stale_since=None, scored_by=release, objected_at=None)


# As PostgreSQL's regular expressions write it; the table refuses no other character.
NO_CONTROL_CHARACTER = r"^[^\u0001-\u001f\u007f-\u009f]+$"


def is_word(name: str) -> Q:
    """What the database asks of a country or a gender: no blank at either end, not empty, no control character."""
    return Q(Exact(F(name), Trim(name))) & Q(**{f"{name}__regex": NO_CONTROL_CHARACTER})


def of_the_bank(fields: Sequence["models.Field[Any, Any]"]) -> list["models.Field[Any, Any]"]:
    """Those that an edit writes. The others are the engine's: a role that edits needs no right on them."""
    return [field for field in fields if field.editable or field.attname == OBJECTION]


class CustomerQuerySet(models.QuerySet["Customer"]):
    def _insert(self, objs: Any, fields: Any, *args: Any, **kwargs: Any) -> Any:
        """As Django's, for ``bulk_create``. What an instance has in the engine's columns is not sent."""
        return super()._insert(objs, of_the_bank(fields), *args, **kwargs)  # type: ignore[misc]

    def stale(self) -> "CustomerQuerySet":
        """Customers whose stored score is not that of the active model for the fields as they are."""
        return self.filter(is_stale(models.Subquery(ModelRelease.objects.newest_id())))

    def not_objected(self) -> "CustomerQuerySet":
        """Without the customers who have objected to being scored."""
        return self.filter(objected_at__isnull=True)

    def set_objection(self, objected: bool) -> int:
        """Record that these customers object to being scored, or withdraw that; how many it is news for.

        A trigger does the rest in the same statement: score and reasons are cleared, or the customer becomes stale. An
        objection that stands keeps its time.
        """
        return self.filter(objected_at__isnull=objected).update(objected_at=Now() if objected else None)

    def with_active_release(self) -> "CustomerQuerySet":
        """With ``active_release`` on each customer: the id of the release whose scores count."""
        return self.annotate(active_release=models.Subquery(ModelRelease.objects.newest_id()))

    def riskiest_first(self) -> "CustomerQuerySet":
        """Highest churn probability first, the unscored last; served by an index."""
        return self.order_by(*BY_RISK)

    def most_valuable_first(self) -> "CustomerQuerySet":
        """Highest value at risk first, the unscored last; served by an index."""
        return self.order_by(*BY_VALUE)


class Behaviour(models.Model):
    """The nine behavioural fields that the model reads, and who gave them their values."""

    # Words of the bank's own. Which of them can be scored is a fact of the active model.
    credit_score = models.SmallIntegerField()
    geography = models.CharField("country", max_length=LONGEST_WORD)
    gender = models.CharField(max_length=LONGEST_WORD)
    age = models.SmallIntegerField()
    tenure = models.SmallIntegerField("years with the bank")
    balance = models.DecimalField(max_digits=15, decimal_places=2)
    num_of_products = models.SmallIntegerField("products")
    has_cr_card = models.BooleanField("credit card")
    is_active_member = models.BooleanField("active member")

    # django, django:<id of the user>, or sql:<role>; empty for a customer who came with these values.
    edited_by = models.CharField(
        max_length=80,
        editable=False,
        default="",
        db_default="",
    )
    arrived_at = arrived_at()

    class Meta:
        abstract = True

    def features(self) -> dict[str, Any]:
        """The nine values by field, as the model service takes them."""
        return {field: getattr(self, field) for field in FEATURES}


class Customer(Behaviour):
    """A customer, the nine behavioural fields, and the score that follows them, unless the customer has objected.

    The columns from ``edited_by`` on belong to the engine: database triggers move the first five, the scorer alone
    writes the rest, and whatever else is written there is quietly kept out.
    """

    customer_id = models.BigIntegerField("customer ID", primary_key=True)
    surname = models.CharField(max_length=100, blank=True, default="", db_default="")
    external_id = models.CharField(  # noqa: DJ001  null: to add the column costs a large table nothing
        "external ID",
        max_length=64,
        null=True,
        blank=True,
        help_text="The customer's identifier in another system of the bank. It must be unique.",
    )

    objected_at = models.DateTimeField(
        null=True,
        editable=False,
        help_text="No score is calculated while the objection stands (GDPR, Article 21).",
    )
    edited_at = models.DateTimeField(
        null=True, editable=False, help_text="When a customer whose score was pending already was edited again."
    )
    churn_risk_score = models.FloatField("churn risk", null=True, blank=True, editable=False)
    value_at_risk = models.DecimalField(
        max_digits=15,
        decimal_places=2,
        null=True,
        editable=False,
        help_text="What the bank would expect to lose: the balance, if it is above 0, times the churn risk.",
    )
    version = models.BigIntegerField(
        db_default=1, editable=False, help_text="Increases with every change of the data that the score is based on."
    )
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
        help_text="The top reasons for the score, first things first: numbers of ml_service/reasons/reason_codes.py.",
    )

    objects = CustomerQuerySet.as_manager()

    class Meta:
        permissions = [
            ("rescore_customer", "Can rescore customers, exclude them from scoring and resume scoring"),
            ("export_customer", "Can export customers to a file"),
            ("record_objection", "Can record and withdraw objections to profiling"),
        ]
        indexes = [
            # For the admin's list; each score writes them all, the last one of few customers: docs/decisions/0016. The
            # first two have what the list is filtered by, so that rows that do not match are passed within the index.
            models.Index(*BY_RISK, *FILTERED_BY, name="customer_by_risk"),
            models.Index(
                *(*BY_VALUE, *FILTERED_BY, F("reason_codes__0"), "churn_risk_score"), name="customer_by_value"
            ),
            models.Index(F("reason_codes__0"), *BY_RISK, name="customer_by_main_reason"),
            models.Index(Collate(Upper("surname"), "C"), name="customer_surname"),
            models.Index(
                F("num_of_products"), *BY_RISK, condition=Q(num_of_products__gte=3), name="customer_many_products"
            ),
            # Few: no edit and no score of any other customer writes it.
            models.Index("customer_id", condition=Q(objected_at__isnull=False), name="customer_objected"),
        ]
        constraints = [
            # An index of the few or many that have one: a bank without external IDs pays nothing for it.
            models.UniqueConstraint(
                fields=["external_id"],
                condition=Q(external_id__gt=""),
                name="customer_external_id",
                violation_error_message="Another customer has this external ID.",
            ),
            models.CheckConstraint(condition=Q(customer_id__gte=1), name="customer_id_is_positive"),
            *(
                models.CheckConstraint(condition=is_word(name), name=f"customer_{name}_is_a_word")
                for name in WORD_FIELDS
            ),
            # PostgreSQL sorts NaN above every number: bounds refuse it too, but would not say what is wrong.
            models.CheckConstraint(
                condition=~Q(Exact(Cast("balance", models.TextField()), models.Value("NaN"))),
                name="customer_balance_is_a_number",
            ),
            *map(WithinBounds, BOUNDED),
            models.CheckConstraint(
                condition=Q(churn_risk_score__isnull=True) | Q(churn_risk_score__range=(0.0, 1.0)),
                name="customer_score_is_a_probability",
            ),
            models.CheckConstraint(
                condition=Q(objected_at__isnull=False)
                | Q(stale_since__isnull=False)
                | Q(churn_risk_score__isnull=False, scored_version__isnull=False, scored_version=F("version")),
                name="customer_current_means_scored",
            ),
            # Of a row that is stale a trigger of the bank's may write what it likes: no edit fails for that.
            models.CheckConstraint(
                condition=Q(stale_since__isnull=False)
                | Q(churn_risk_score__isnull=True, value_at_risk__isnull=True)
                | Q(churn_risk_score__isnull=False, value_at_risk__isnull=False),
                name="customer_value_goes_with_score",
            ),
            models.CheckConstraint(
                condition=Q(objected_at__isnull=True)
                | Q(
                    stale_since__isnull=True,
                    churn_risk_score__isnull=True,
                    value_at_risk__isnull=True,
                    scored_version__isnull=True,
                    scored_by__isnull=True,
                    scored_at__isnull=True,
                    contributions__isnull=True,
                    reason_codes__isnull=True,
                ),
                name="customer_objected_means_no_score",
            ),
            # PostgreSQL knows times that Python can't read, and exports write the first day of all for "never".
            models.CheckConstraint(
                condition=Q(objected_at__isnull=True) | Q(objected_at__range=POSSIBLE_TIMES),
                name="customer_objected_at_is_possible",
            ),
        ]

    def __str__(self) -> str:
        return f"customer {self.customer_id}"

    _means_objection = False

    def save(self, *args: Any, update_fields: Iterable[str] | None = None, **options: Any) -> None:
        """As Django's, but the objection is written only where ``update_fields`` names it, or with a new row.

        An instance that was read before the objection was recorded would withdraw it without meaning to.
        """
        fields = None if update_fields is None else frozenset(update_fields)
        self._means_objection = fields is not None and OBJECTION in fields
        super().save(*args, update_fields=fields, **options)

    def _do_update(self, base_qs: Any, using: Any, pk_val: Any, values: Any, *args: Any) -> Any:
        """Django's step from an instance to its UPDATE: an old one holds old scores, which are not sent."""
        written = of_the_bank([field for field, _model, _value in values])
        kept = [it for it in values if it[0] in written and (self._means_objection or it[0].attname != OBJECTION)]
        return super()._do_update(base_qs, using, pk_val, kept, *args)

    def _do_insert(self, manager: Any, using: Any, fields: Any, *args: Any) -> Any:
        return super()._do_insert(manager, using, of_the_bank(fields), *args)  # type: ignore[misc]

    def is_current(self) -> bool:
        """Whether the stored score is the active model's answer to the fields of this row."""
        active = ModelRelease.objects.active()
        return self.stale_since is None and active is not None and self.scored_by_id == active.id
