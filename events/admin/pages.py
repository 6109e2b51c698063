"""Pages that show what was counted, and change nothing: their fieldsets have no fields, only descriptions."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.safestring import SafeString

from customers.admin import ReadOnlyAdmin
from events.models.engine import Overview
from events.overview import counting

THE_ONLY_ONE = "1"

Section = tuple[str | None, dict[str, Any]]


class CountedPage(ReadOnlyAdmin):
    """One page, made of sections, on top of the one row of counted figures."""

    title = ""

    class Media:
        css = {"all": ["customers/vigilpay.css"]}

    def sections(self, request: HttpRequest, found: Overview) -> list[Section]:
        """The page from top to bottom. Without figures nothing was counted yet."""
        raise NotImplementedError

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """There is one page."""
        return redirect(f"admin:events_{self.opts.model_name}_change", THE_ONLY_ONE)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        context = {**(extra_context or {}), "title": self.title, "subtitle": None}
        return super().change_view(request, object_id, form_url, context)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Overview | None:
        return (counting.shown() or Overview()) if object_id == THE_ONLY_ONE else None

    def get_fields(self, request: HttpRequest, obj: Overview | None = None) -> Any:
        return ()

    def get_fieldsets(self, request: HttpRequest, obj: Overview | None = None) -> Any:
        return self.sections(request, obj or Overview())


def status_address(request: HttpRequest) -> str:
    """Of the operator's page; empty for users who may not see it."""
    may = request.user.has_perm("events.view_systemstatus")
    return reverse("admin:events_systemstatus_change", args=[THE_ONLY_ONE]) if may else ""


def section(title: str | None, content: str | SafeString) -> Section:
    return title, {"fields": (), "description": content}
