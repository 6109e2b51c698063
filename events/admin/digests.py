"""Digests: which were sent, which wait, and which were not sent."""

from django.conf import settings
from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from customers.admin import ReadOnlyAdmin
from customers.presentation.durations import format_time
from customers.presentation.numbers import format_count
from events.digest import outbox
from events.digest.period import Period
from events.digest.sending import OFF
from events.models.digest import Digest

ARE_OFF = "No digest was sent again: digests are off. Set VIGILPAY_DIGEST to daily or weekly first."
NOT_KEPT = "Digests whose scores are no longer kept are not sent again."


@admin.register(Digest)
class DigestAdmin(ReadOnlyAdmin):
    list_display = ("period", "kind", "outcome", "attempts", "error")
    fields = ("period", "kind", "outcome", "attempts", "error", "key")
    readonly_fields = ("period", "outcome")
    list_filter = ("state",)
    list_per_page = 50
    actions = ("try_again",)

    @admin.display(description="Period", ordering="first_day")
    def period(self, digest: Digest) -> str:
        return str(Period(digest.kind, digest.first_day))

    @admin.display(description="State", ordering="state")
    def outcome(self, digest: Digest) -> str:
        """Since when, or when the next attempt is due."""
        state = digest.get_state_display()
        if digest.state == Digest.State.WAITING:
            return f"{state}; next attempt {format_time(digest.due_at)}"
        return state if digest.ended_at is None else f"{state}, {format_time(digest.ended_at)}"

    @admin.action(description="Send again", permissions=["retry"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[Digest]) -> None:
        if settings.DIGEST == OFF:
            self.message_user(request, ARE_OFF, messages.ERROR)
            return
        chosen = Digest.objects.filter(pk__in=list(queryset.values_list("pk", flat=True)))
        if chosen.filter(first_day__lt=outbox.first_kept_day()).exists():
            self.message_user(request, NOT_KEPT, messages.WARNING)
        number = outbox.try_again(chosen)
        self.message_user(request, f"{format_count(number, 'digest', 'digests')} will be sent again within 15 minutes.")

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """A user with the right to change digests may do this with them, and nothing else."""
        return request.user.has_perm("events.change_digest")

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return super().has_view_permission(request, obj) or self.has_retry_permission(request)
