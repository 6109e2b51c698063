"""What the drains did."""

from django.contrib import admin

from customers.admin import ReadOnlyAdmin
from events.models.engine import Drain


@admin.register(Drain)
class DrainAdmin(ReadOnlyAdmin):
    list_display = ("ended_at", "worker", "claimed", "stored", "rejected", "refused")
    show_full_result_count = False
