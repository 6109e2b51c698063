"""What staff narrow the list of customers down by. Choices are fixed: none is looked for in the customers."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from customers.models import ModelRelease, ScoringFailure, is_stale
from customers.presentation.bands import BANDS, is_in_band
from customers.presentation.reasons import choices
from customers.scoring.marks import where_stale_ones_are

MOST_PRODUCTS = 4  # the table would hold more, the bank sells no more
RELEASES = 10  # the newest; nearly all customers have the score of the first


class ChoiceFilter(admin.SimpleListFilter):
    """Narrows a list down to one of its choices, and not at all for a value that is none of them."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        value = self.value() or ""
        return self.narrow(queryset, value) if value in dict(self.lookup_choices) else queryset

    def narrow(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        """Those of this choice."""
        raise NotImplementedError


class BandFilter(ChoiceFilter):
    """By how high the risk is, in a word."""

    title = "risk"
    parameter_name = "band"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in reversed(BANDS)]

    def narrow(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        return rows.filter(is_in_band(value))


class MainReasonFilter(ChoiceFilter):
    """By what raises the risk most."""

    title = "main reason"
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return choices()

    def narrow(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        # Of a stale score no reason is shown: it was that of other fields.
        return rows.filter(reason_codes__0=int(value), stale_since=None)


class ProductsFilter(ChoiceFilter):
    """By the number of products; Django's own filter would look for the different numbers in all customers."""

    title = "products"
    parameter_name = "num_of_products"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(number), str(number)) for number in range(1, MOST_PRODUCTS + 1)]

    def narrow(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        return rows.filter(num_of_products=int(value))


class FreshnessFilter(ChoiceFilter):
    """By whether the score is that of the present fields by the active model, and why not."""

    title = "freshness"
    parameter_name = "freshness"
    OBJECTED = "objected"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        names = ("current", "stale", "set aside", self.OBJECTED, "not scored")
        return [(name.replace(" ", "_"), name) for name in names]

    def narrow(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        if value == self.OBJECTED:
            return rows.filter(objected_at__isnull=False)
        if value == "not_scored":
            return rows.filter(churn_risk_score=None, objected_at=None)
        release = active_release()
        if value == "current":
            return rows.filter(stale_since=None, scored_by=release, objected_at=None)
        if value == "set_aside":
            return rows.filter(ScoringFailure.objects.dead_letters().of_customer(release))
        return rows.filter(where_stale_ones_are(), is_stale(release))


class ReleaseFilter(ChoiceFilter):
    """By the model that gave the score: the newest releases."""

    title = "model"
    parameter_name = "release"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        ids = ModelRelease.objects.order_by("-id").values_list("id", flat=True)[:RELEASES]
        return [(str(number), f"release {number}{'' if place else ' (active)'}") for place, number in enumerate(ids)]

    def narrow(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        scored_by_it = rows.filter(scored_by=int(value))
        # Customers with the score of a former model are stale.
        return scored_by_it if int(value) == active_release() else scored_by_it.filter(where_stale_ones_are())


def active_release() -> int | None:
    active = ModelRelease.objects.active()
    return active.pk if active else None
