"""Messages on alerts: which wait, and which were not sent."""

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest

from customers.admin import ReadOnlyAdmin
from customers.presentation.durations import format_time
from customers.presentation.numbers import format_count
from events.alerts import outbox
from events.models.alerts import Delivery
from events.queue import dispatch


@admin.register(Delivery)
class DeliveryAdmin(ReadOnlyAdmin):
    list_display = ("created", "rule", "channel", "alerts", "outcome", "attempts", "error")
    fields = ("created", "rule", "channel", "alerts", "outcome", "into", "attempts", "first_attempt", "error", "key")
    readonly_fields = ("created", "outcome", "first_attempt")
    list_filter = ("state", "channel", "rule")
    list_select_related = ("rule",)
    show_full_result_count = False
    list_per_page = 50
    actions = ("try_again",)

    @admin.display(description="Created", ordering="created_at")
    def created(self, message: Delivery) -> str:
        return format_time(message.created_at)

    @admin.display(description="First attempt", empty_value="None yet")
    def first_attempt(self, message: Delivery) -> str | None:
        return None if message.first_tried_at is None else format_time(message.first_tried_at)

    @admin.display(description="State", ordering="state")
    def outcome(self, message: Delivery) -> str:
        """Since when, or when the next attempt is due."""
        state = message.get_state_display()
        if message.state == Delivery.State.WAITING:
            return f"{state}; next attempt {format_time(message.due_at)}"
        return state if message.ended_at is None else f"{state}, {format_time(message.ended_at)}"

    @admin.action(description="Send again", permissions=["retry"])
    def try_again(self, request: HttpRequest, queryset: QuerySet[Delivery]) -> None:
        number = outbox.try_again(Delivery.objects.filter(pk__in=list(queryset.values_list("pk", flat=True))))
        dispatch.send_if_due()
        these = format_count(number, "message is", "messages are")
        self.message_user(request, f"{these} being sent again.")

    def has_retry_permission(self, request: HttpRequest) -> bool:
        """A user with the right to change messages may do this with them, and nothing else."""
        return request.user.has_perm("events.change_delivery")

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return super().has_view_permission(request, obj) or self.has_retry_permission(request)
