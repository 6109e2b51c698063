"""What the scoring runs did."""

from django.contrib import admin

from customers.admin import ReadOnlyAdmin
from customers.presentation.durations import format_duration, format_time
from events.models.engine import Drain


@admin.register(Drain)
class DrainAdmin(ReadOnlyAdmin):
    list_display = ("ended", "took", "stored", "claimed", "rejected", "refused", "worker")
    fields = ("started", "ended", "took", "claimed", "stored", "rejected", "refused", "worker")
    readonly_fields = ("started", "ended", "took")
    show_full_result_count = False

    @admin.display(description="Started")
    def started(self, run: Drain) -> str:
        return format_time(run.started_at, seconds=True)

    @admin.display(description="Ended", ordering="ended_at")
    def ended(self, run: Drain) -> str:
        return format_time(run.ended_at, seconds=True)

    @admin.display(description="Duration")
    def took(self, run: Drain) -> str:
        return format_duration((run.ended_at - run.started_at).total_seconds(), "seconds")
