"""What staff narrow the list of customers down by. Choices are fixed: none is looked for in the customers.

Titles begin with a small letter, for Django writes "By" before them.
"""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from customers.models import ModelRelease, ScoringFailure, is_current_by
from customers.portfolio import moves
from customers.presentation.bands import BANDS, is_in_band
from customers.presentation.reasons import choices, has_main_reason
from customers.releases.words import known_words
from customers.scoring.marks import is_stale_by_marks, where_stale_ones_are

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

    title = "risk band"
    parameter_name = "band"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(name, name.capitalize()) for name in reversed(BANDS)]

    def narrow(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        return rows.filter(is_in_band(value))


class ChangeFilter(ChoiceFilter):
    """By what has become of the risk within some days."""

    title = "change"
    parameter_name = "change"
    ROSE, NEWLY_CRITICAL = "rose", "newly_critical"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        within = f"in {moves.window_days()} days"
        return [
            (self.ROSE, f"Rose by {moves.RISEN_POINTS} points or more {within}"),
            (self.NEWLY_CRITICAL, f"Newly critical {within}"),
        ]

    def narrow(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        return rows.filter(moves.has_risen() if value == self.ROSE else moves.is_newly_critical())


class MainReasonFilter(ChoiceFilter):
    """By what raises the risk most."""

    title = "main reason"
    parameter_name = "reason"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return choices()

    def narrow(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        return rows.filter(has_main_reason(int(value)))


class CountryFilter(ChoiceFilter):
    """By a country that the active model knows, or by having any other."""

    title = "country"
    parameter_name = "geography__exact"
    UNKNOWN = " unknown"  # no country begins with a blank

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        self.known = known_words().words("geography")
        return [*((word, word) for word in self.known), (self.UNKNOWN, "Not known to the model")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Of a country that is none of the choices, too, as the portfolio's page links to it."""
        value = self.value()
        return queryset if not value else self.narrow(queryset, value)

    def narrow(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        return rows.exclude(geography__in=self.known) if value == self.UNKNOWN else rows.filter(geography=value)


class ProductsFilter(ChoiceFilter):
    """By the number of products; Django's own filter would look for the different numbers in all customers."""

    title = "products"
    parameter_name = "num_of_products"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(str(number), str(number)) for number in range(1, MOST_PRODUCTS + 1)]

    def narrow(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        return rows.filter(num_of_products=int(value))


class ScoreFilter(ChoiceFilter):
    """By whether the score is that of the present fields by the active model, and why not."""

    title = "score"
    parameter_name = "freshness"
    OBJECTED = "objected"
    CHOICES = (
        ("current", "Up to date"),
        ("stale", "Not up to date"),
        ("set_aside", "Excluded from scoring"),
        (OBJECTED, "Objected to profiling"),
        ("not_scored", "Not scored yet"),
    )

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(self.CHOICES)

    def narrow(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        if value == self.OBJECTED:
            return rows.filter(objected_at__isnull=False)
        if value == "not_scored":
            return rows.filter(churn_risk_score=None, objected_at=None)
        release = ModelRelease.objects.active_id()
        if value == "current":
            return rows.filter(is_current_by(release))
        if value == "set_aside":
            return rows.filter(ScoringFailure.objects.dead_letters().of_customer(release))
        return rows.filter(is_stale_by_marks(release))


class ReleaseFilter(ChoiceFilter):
    """By the model that gave the score: the newest releases."""

    title = "model release"
    parameter_name = "release"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        ids = ModelRelease.objects.order_by("-id").values_list("id", flat=True)[:RELEASES]
        return [(str(number), f"Release {number}{'' if place else ' (active)'}") for place, number in enumerate(ids)]

    def narrow(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        scored_by_it = rows.filter(scored_by=int(value))
        # Customers with the score of a former model are stale.
        is_active = int(value) == ModelRelease.objects.active_id()
        return scored_by_it if is_active else scored_by_it.filter(where_stale_ones_are())
