"""The list of releases with how many customers each has scored: counted for the overview, so here and not below."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse

from customers.admin.releases import ModelReleaseAdmin
from customers.models import ModelRelease
from customers.presentation.durations import format_time
from events.models.engine import Overview
from events.overview import counting
from events.overview.figures import Figures


@admin.register(ModelRelease)
class CountedReleaseAdmin(ModelReleaseAdmin):
    """The page names the moment of the numbers: a pass over all customers is nothing that it may do."""

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        found = counting.shown()
        request.customers_scored = scored_by_release(found)  # type: ignore[attr-defined]
        as_of = f"Customers scored: as of {format_time(found.counted_at)}." if found and found.figures else None
        return super().changelist_view(request, {**(extra_context or {}), "subtitle": as_of})

    def get_list_display(self, request: HttpRequest) -> list[Any]:
        """With a column of its own for each request, for a page is one object for all of them."""
        scored: dict[int, int] = getattr(request, "customers_scored", {})

        @admin.display(description="Customers scored", empty_value="not counted yet")
        def customers_scored(release: ModelRelease) -> str | None:
            return f"{scored.get(release.pk, 0):,}" if scored else None

        shown = list(super().get_list_display(request))
        return [*shown[:-1], customers_scored, shown[-1]]


def scored_by_release(found: Overview | None) -> dict[int, int]:
    """How many customers have the score of which release; empty where that was not counted yet."""
    if found is None or not found.figures:
        return {}
    coverage = Figures.from_json(found.figures).portfolio.coverage
    return {group.release: group.customers for group in coverage if group.release is not None}
