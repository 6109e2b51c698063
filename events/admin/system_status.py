"""The operator's page: whether scores follow, who works on them, and what a person has to see to."""

from django.contrib import admin
from django.http import HttpRequest

from customers.models import ModelRelease, ScoringFailure
from customers.monitoring import drift, fairness
from customers.presentation.tables import Cell
from events.admin.pages import CountedPage, Section, section
from events.freshness import queries
from events.freshness.answer import Freshness
from events.freshness.workers import all_workers
from events.models.engine import Drain, Overview, SystemStatus
from events.overview import fairness_html, status_html
from events.overview.figures import Figures

NEWEST = 5
NEWEST_FAILURES = 10
NOT_COUNTED = "The figures are being calculated for the first time; reload this page in a moment."


@admin.register(SystemStatus)
class SystemStatusAdmin(CountedPage):
    title = "System status"

    def sections(self, request: HttpRequest, found: Overview) -> list[Section]:
        workers = section("Workers", status_html.workers_section(all_workers()))
        if not found.figures:
            return [section(None, NOT_COUNTED), workers]
        figures = Figures.from_json(found.figures)
        now = queries.freshness_of(figures.portfolio, figures.lag, found.counted_at)
        may = request.user.has_perm
        button = status_html.pause_button(now, may_pause=may("events.add_pause"), may_resume=may("events.delete_pause"))
        runs = Drain.objects.all()[:NEWEST] if may("events.view_drain") else []
        return [
            section(None, status_html.status_section(now, button)),
            workers,
            section("Queue and scores", status_html.queue_section(now, runs, found.counted_at)),
            *excluded(request, now),
            section("Drift", drift_part(now.active_release.id if now.active_release else None)),
            *fairness_parts(now.active_release.id if now.active_release else None),
            *releases(request, now),
        ]


def excluded(request: HttpRequest, now: Freshness) -> list[Section]:
    if not request.user.has_perm("customers.view_scoringfailure"):
        return []
    newest = ScoringFailure.objects.without_words().of_present_life()[:NEWEST_FAILURES]
    may_see = request.user.has_perm("customers.view_customer")
    shown = status_html.excluded_section(now, newest, may_see_customers=may_see)
    return [section("Excluded customers", shown)]


def drift_part(release: int | None) -> Cell:
    """The newest check; without one it says why, and nothing that is not so."""
    check = drift.last_check(release) if release is not None else None
    if check is not None:
        return status_html.drift_section(drift.drift_of(check), check.checked_at, "")
    return status_html.drift_section(None, None, drift.why_not_checked(release))


def fairness_parts(release: int | None) -> list[Section]:
    """The newest check; with outcomes also who was selected wrongly, which is a long part."""
    check = fairness.last_check(release) if release is not None else None
    if check is None:
        return [section("Fairness", fairness_html.fairness_section(None, None))]
    found = fairness.fairness_of(check)
    parts = [section("Fairness", fairness_html.fairness_section(found, check.checked_at))]
    if found.judged is not None:
        parts.append(section("Fairness by threshold", fairness_html.rates_section(found), is_closed=True))
    return parts


def releases(request: HttpRequest, now: Freshness) -> list[Section]:
    if not request.user.has_perm("customers.view_modelrelease"):
        return []
    newest = ModelRelease.objects.defer("metadata")[:NEWEST]
    active = now.active_release.id if now.active_release else None
    return [section("Model releases", status_html.releases_section(newest, active))]
