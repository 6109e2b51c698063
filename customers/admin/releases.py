"""The models that gave the scores."""

from django.contrib import admin
from django.utils.safestring import SafeString

from customers.admin.read_only import ReadOnlyAdmin
from customers.card_html import card_html
from customers.models import ModelRelease


@admin.register(ModelRelease)
class ModelReleaseAdmin(ReadOnlyAdmin):
    list_display = ("id", "released_at", "sha256", "note")
    fields = ("released_at", "note", "fingerprint", "card")
    readonly_fields = ("card",)

    @admin.display(description="Model card")
    def card(self, release: ModelRelease) -> SafeString:
        return card_html({**release.metadata, "sha256": release.sha256})
