"""Messages on alerts: which wait, and which were given up."""

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from customers.admin import ReadOnlyAdmin
from events.alerts import outbox
from events.models.alerts import Delivery
from events.queue import dispatch


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    list_display = ("created_at", "rule", "channel", "alerts", "state", "attempts", "due_at", "ended_at", "error")
    list_filter = ("state", "channel", "rule")
    list_select_related = ("rule",)
    show_full_result_count = False
    list_per_page = 50
    actions = ("try_again",)

    @admin.action(description="Try again now", permissions=["retry"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        number = outbox.try_again(Delivery.objects.filter(pk__in=list(queryset.values_list("pk", flat=True))))
        dispatch.send_if_due()
        self.message_user(request, f"To be tried again now, of those given up: {number:,}.")

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """A user with the right to change messages may do this with them, and nothing else."""
        return request.user.has_perm("events.change_delivery")

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return super().has_view_permission(request, obj) or self.has_retry_permission(request)
