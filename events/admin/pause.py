"""Pausing and resuming."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from customers.models import Pause
from customers.scoring.pause import is_paused
from events.queue import pause


@admin.register(Pause)
class PauseAdmin(admin.ModelAdmin):  # type: ignore[type-arg]  # generic for the type checker only
    """To add a pause is to pause scoring, to delete it is to resume; there is one at most."""

    list_display = ("since", "by", "reason")
    fields = ("reason",)
    actions = ("resume_scoring",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and not is_paused()

    def has_change_permission(self, request: HttpRequest, obj: Pause | None = None) -> bool:
        return False

    def get_fields(self, request: HttpRequest, obj: Pause | None = None) -> Any:
        return self.list_display if obj else self.fields

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Ours says what happens; Django's own would say "delete"."""
        return {name: action for name, action in super().get_actions(request).items() if name != "delete_selected"}

    @admin.action(description="Resume scoring", permissions=["delete"])
    def resume_scoring(self, request: HttpRequest, queryset: QuerySet[Pause]) -> None:
        self.log_deletions(request, queryset)
        pause.resume()
        self.message_user(request, "Scoring goes on.")

    def save_model(self, request: HttpRequest, obj: Pause, form: Any, change: bool) -> None:
        made = pause.pause(by=request.user.get_username(), reason=obj.reason)
        obj.pk, obj.since, obj.by, obj.reason = made.pk, made.since, made.by, made.reason

    def delete_model(self, request: HttpRequest, obj: Pause) -> None:
        pause.resume()
