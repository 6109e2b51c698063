"""Pages of what the engine alone writes."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.safestring import SafeString
from django.utils.text import capfirst

Section = tuple[str | None, dict[str, Any]]


class PlainChangeList(ChangeList):
    """Headed by what it lists. Without "Show all" where nothing is left out: Django offers it whenever it has not
    counted all rows."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.title = capfirst(str(self.opts.verbose_name_plural))

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        if not self.query and not self.has_active_filters:
            self.full_result_count = self.result_count


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic for the type checker only
    """Records that the engine alone writes."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    has_delete_permission = has_change_permission

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return PlainChangeList

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """One button, where there is one at all."""
        context = {"show_save_and_continue": False, "show_save_and_add_another": False, **context}
        return super().render_change_form(request, context, *args, **kwargs)


class SectionsPage(ReadOnlyAdmin):
    """One page that shows what was counted: its fieldsets have no fields, their descriptions are the page."""

    title = ""
    the_only_one = "1"  # the end of its address

    class Media:
        css = {"all": ["customers/vigilpay.css"]}

    def shown(self) -> Model:
        """What the page is about, for its breadcrumb and its sections."""
        raise NotImplementedError

    def sections(self, request: HttpRequest, found: Any) -> list[Section]:
        """The page from top to bottom."""
        raise NotImplementedError

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """There is one page."""
        return redirect(f"admin:{self.opts.app_label}_{self.opts.model_name}_change", self.the_only_one)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        context = {**(extra_context or {}), "title": self.title, "subtitle": None}
        return super().change_view(request, object_id, form_url, context)

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> Any:
        return self.shown() if object_id == self.the_only_one else None

    def get_fields(self, request: HttpRequest, obj: Model | None = None) -> Any:
        return ()

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> Any:
        return self.sections(request, obj or self.model())


def section(title: str | None, content: str | SafeString, *, is_closed: bool = False) -> Section:
    return title, {"fields": (), "description": content, "classes": ["collapse"] if is_closed else []}
