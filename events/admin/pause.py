"""Pausing and resuming, each with a page that asks."""

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from customers.models import Pause
from customers.scoring.pause import current, describe_pause, is_paused
from events.admin.pages import THE_ONLY_ONE, status_address
from events.queue import pause

RESUME = "_resume"
BUTTONS = (
    "<p>{}</p><p>Customers whose data has changed wait for a score until scoring resumes.</p>"
    '<p><button type="submit" name="{}" class="vp-button">Resume scoring</button> <a href="{}">Cancel</a></p>'
)


@admin.register(Pause)
class PauseAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic for the type checker only
    """To add a pause is to pause scoring; its own page resumes it. There is one at most, and so no list."""

    fields = ("reason",)

    class Media:
        css = {"all": ["customers/vigilpay.css"]}

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        """To what there is to do."""
        if is_paused():
            return redirect("admin:events_pause_change", THE_ONLY_ONE)
        if self.has_add_permission(request):
            return redirect("admin:events_pause_add")
        return self.back(request)

    def back(self, request: HttpRequest) -> HttpResponseRedirect:
        """To the page that shows what came of it."""
        return HttpResponseRedirect(status_address(request) or reverse("admin:index"))

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        context = {
            "title": "Pause scoring?",
            "subtitle": "No scores are calculated until scoring is resumed. Customers can still be edited.",
            "show_save_and_add_another": False,
            "show_save_and_continue": False,
        }
        return super().add_view(request, form_url, {**(extra_context or {}), **context})

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """The pause, and for users who may end it the question whether to."""
        if request.method == "POST" and RESUME in request.POST:
            return self.resume(request)
        title = "Resume scoring?" if self.has_resume_permission(request) else "Scoring is paused"
        return super().change_view(
            request, object_id, form_url, {**(extra_context or {}), "title": title, "subtitle": None}
        )

    def resume(self, request: HttpRequest) -> HttpResponse:
        if not self.has_resume_permission(request):
            raise PermissionDenied
        found = current()
        if found is not None:
            self.log_deletions(request, Pause.objects.filter(pk=found.pk))
        if pause.resume():
            messages.success(request, "Scoring resumed.")
        else:
            messages.info(request, "Scoring was not paused.")
        return self.back(request)

    def get_fieldsets(self, request: HttpRequest, obj: Pause | None = None) -> Any:
        if obj is None:
            return super().get_fieldsets(request, obj)
        return [(None, {"fields": (), "description": self.question(request, obj)})]

    def question(self, request: HttpRequest, found: Pause) -> str | SafeString:
        notice = describe_pause(found.since, found.by, found.reason)
        if not self.has_resume_permission(request):
            return notice
        return format_html(BUTTONS, notice, RESUME, status_address(request) or reverse("admin:index"))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and not is_paused()

    def has_change_permission(self, request: HttpRequest, obj: Pause | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Pause | None = None) -> bool:
        """Django's own pages would ask whether to delete it: to resume has a page that says so."""
        return False

    def has_resume_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("events.delete_pause")

    def has_view_permission(self, request: HttpRequest, obj: Pause | None = None) -> bool:
        return super().has_view_permission(request, obj) or self.has_resume_permission(request)

    def save_model(self, request: HttpRequest, obj: Pause, form: Any, change: bool) -> None:
        made = pause.pause(by=request.user.get_username(), reason=obj.reason)
        obj.pk, obj.since, obj.by, obj.reason = made.pk, made.since, made.by, made.reason

    def message_user(self, request: HttpRequest, message: Any, *args: Any, **kwargs: Any) -> None:
        """Instead of Django's "was added successfully", which only a new pause brings."""
        super().message_user(request, "Scoring paused.", *args, **kwargs)

    def response_post_save_add(self, request: HttpRequest, obj: Pause) -> HttpResponseRedirect:
        return self.back(request)
