"""Digests: which were sent, which wait, and which were given up."""

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from customers.admin import ReadOnlyAdmin
from customers.presentation.numbers import format_count
from events.digest import outbox
from events.digest.period import Period
from events.models.digest import Digest


@admin.register(Digest)
class DigestAdmin(ReadOnlyAdmin):
    list_display = ("period", "kind", "state", "attempts", "ended_at", "due_at", "error")
    list_filter = ("state",)
    list_per_page = 50
    actions = ("try_again",)

    @admin.display(description="Period", ordering="first_day")
    def period(self, digest: Digest) -> str:
        return str(Period(digest.kind, digest.first_day))

    @admin.action(description="Send again the digests that were given up", permissions=["retry"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[Digest]) -> None:
        number = outbox.try_again(Digest.objects.filter(pk__in=list(queryset.values_list("pk", flat=True))))
        self.message_user(request, f"{format_count(number, 'digest', 'digests')} will be sent again within 15 minutes.")

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """A user with the right to change digests may do this with them, and nothing else."""
        return request.user.has_perm("events.change_digest")

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return super().has_view_permission(request, obj) or self.has_retry_permission(request)
