"""The pages on top of the one row of counted figures."""

from django.http import HttpRequest
from django.urls import reverse

from customers.admin.read_only import Section, SectionsPage, section
from events.models.engine import Overview
from events.overview import counting

__all__ = ["THE_ONLY_ONE", "CountedPage", "Section", "section", "status_address"]

THE_ONLY_ONE = SectionsPage.the_only_one


class CountedPage(SectionsPage):
    """Its sections are given what was counted; without figures nothing was counted yet."""

    def shown(self) -> Overview:
        return counting.shown() or Overview()


def status_address(request: HttpRequest) -> str:
    """Of the operator's page; empty for users who may not see it."""
    may = request.user.has_perm("events.view_systemstatus")
    return reverse("admin:events_systemstatus_change", args=[THE_ONLY_ONE]) if may else ""
