"""What staff narrow the list of customers down by. Choices are fixed: none is looked for in the customers."""

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from customers.models import Customer, ModelRelease, ScoringFailure, is_stale
from customers.presentation.bands import BANDS
from customers.presentation.reasons import choices
from customers.scoring.marks import where_stale_ones_are

MOST_PRODUCTS = 4  # the table would hold more, the bank sells no more
RELEASES = 10  # the newest; nearly everybody has the score of the first


class BandFilter(admin.SimpleListFilter):
    """By how high the risk is, in a word."""

    title = "risk"
    parameter_name = "band"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name) for name in reversed(BANDS)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        name = self.value()
        if name not in BANDS:
            return queryset
        low, high = list(pairwise([0.0, *settings.RISK_BANDS, 1.0]))[BANDS.index(name)]
        # A score on a threshold is in the band above it; nothing is above 1.
        is_below = Q(churn_risk_score__lte=high) if name == BANDS[-1] else Q(churn_risk_score__lt=high)
        return queryset.filter(is_below, churn_risk_score__gte=low)


class MainReasonFilter(admin.SimpleListFilter):
    """By what raises the risk most."""

    title = "main reason"
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return choices()

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        number = self.value()
        if number not in dict(self.lookup_choices):
            return queryset
        # Of a stale score no reason is shown: it was that of other fields.
        return queryset.filter(reason_codes__0=int(number), stale_since=None)


class ProductsFilter(admin.SimpleListFilter):
    """By the number of products; Django's own filter would look for the different numbers in all customers."""

    title = "products"
    parameter_name = "num_of_products"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(number), str(number)) for number in range(1, MOST_PRODUCTS + 1)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        number = self.value()
        return queryset.filter(num_of_products=int(number)) if number in dict(self.lookup_choices) else queryset


class FreshnessFilter(admin.SimpleListFilter):
    """By whether the score is that of the present fields by the active model, and why not."""

    title = "freshness"
    parameter_name = "freshness"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name.replace(" ", "_"), name) for name in ("current", "stale", "set aside", "not scored")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        narrow = FRESHNESS.get(self.value() or "")
        return narrow(queryset, active_release()) if narrow else queryset


class ReleaseFilter(admin.SimpleListFilter):
    """By the model that gave the score: the newest releases."""

    title = "model"
    parameter_name = "release"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        ids = ModelRelease.objects.order_by("-id").values_list("id", flat=True)[:RELEASES]
        return [(str(number), f"release {number}{'' if place else ' (active)'}") for place, number in enumerate(ids)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        number = self.value()
        if number not in dict(self.lookup_choices):
            return queryset
        by_it = queryset.filter(scored_by=int(number))
        # Whoever has the score of a former model is stale.
        return by_it if int(number) == active_release() else by_it.filter(where_stale_ones_are())


def active_release() -> int | None:
    active = ModelRelease.objects.active()
    return active.pk if active else None


def current(customers: QuerySet[Customer], release: int | None) -> QuerySet[Customer]:
    return customers.filter(stale_since=None, scored_by=release)


def stale(customers: QuerySet[Customer], release: int | None) -> QuerySet[Customer]:
    return customers.filter(where_stale_ones_are(), is_stale(release))


def set_aside(customers: QuerySet[Customer], release: int | None) -> QuerySet[Customer]:
    return customers.filter(ScoringFailure.objects.dead_letters().of_customer(release))


def not_scored(customers: QuerySet[Customer], release: int | None) -> QuerySet[Customer]:
    return customers.filter(churn_risk_score=None)


FRESHNESS: Mapping[str, Callable[[QuerySet[Customer], int | None], QuerySet[Customer]]] = {
    "current": current,
    "stale": stale,
    "set_aside": set_aside,
    "not_scored": not_scored,
}
