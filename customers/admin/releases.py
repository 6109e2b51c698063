"""The models that gave the scores."""

from django.contrib import admin
from django.utils.safestring import SafeString

from customers.admin.model_card import card_html
from customers.admin.read_only import ReadOnlyAdmin
from customers.models import ModelRelease


@admin.register(ModelRelease)
class ModelReleaseAdmin(ReadOnlyAdmin):
    list_display = ("id", "released_at", "sha256", "note")
    fields = ("released_at", "note", "fingerprint", "going_back", "card")
    readonly_fields = ("going_back", "card")

    @admin.display(description="Going back to it")
    def going_back(self, release: ModelRelease) -> str:
        """By a command alone: a server that can be reached from outside has no right to write model files."""
        active = ModelRelease.objects.active()
        if active is not None and active.fingerprint == release.fingerprint:
            return "This is the active model."
        return f"On each machine, as its operator: manage.py release_model --rollback --to {release.pk}"

    @admin.display(description="Model card")
    def card(self, release: ModelRelease) -> SafeString:
        return card_html({**release.metadata, "sha256": release.sha256})
