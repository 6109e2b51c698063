"""The models that gave the scores. ``events/admin/releases.py`` puts them into the admin, with what it has counted."""

from typing import Any, cast

from django.contrib import admin
from django.db.models import QuerySet, Subquery
from django.db.models.fields.json import KT
from django.http import HttpRequest
from django.utils.safestring import SafeString

from customers.admin import shadow
from customers.admin.model_card import card_html
from customers.admin.read_only import ReadOnlyAdmin
from customers.models import ModelProposal, ModelRelease
from customers.presentation.durations import format_time

SHORT = 12  # letters of a checksum: enough to compare
NOT_MEASURED = "not measured"
NOT_IN_SHADOW = "This model was not scored in shadow before its release."
LIST = "customers_modelrelease_changelist"


class ModelReleaseAdmin(ReadOnlyAdmin):
    list_display = ("release", "is_active", "released", "auc", "checksum", "note")
    list_display_links = ("release",)
    fields = ("released", "active_model", "note", "sha256", "fingerprint", "going_back", "in_shadow", "card")
    readonly_fields = ("released", "active_model", "going_back", "in_shadow", "card")

    class Media:
        css = {"all": ["customers/vigilpay.css"]}

    def get_queryset(self, request: HttpRequest) -> QuerySet[ModelRelease]:
        """The card's metadata, which is long, is not read for the list."""
        found = (
            super()
            .get_queryset(request)
            .annotate(
                measured_auc=KT("metadata__metrics__roc_auc__mean"),
                active_id=Subquery(ModelRelease.objects.newest_id()),
            )
        )
        is_list = request.resolver_match is not None and request.resolver_match.url_name == LIST
        return cast("QuerySet[ModelRelease]", found.defer("metadata") if is_list else found)

    @admin.display(description="Release", ordering="id")
    def release(self, release: ModelRelease) -> str:
        return f"Release {release.pk}"

    @admin.display(description="Active", boolean=True)
    def is_active(self, release: Any) -> bool:
        return bool(release.pk == release.active_id)

    @admin.display(description="Active")
    def active_model(self, release: ModelRelease) -> str:
        return "Yes" if self.is_active(release) else "No"

    @admin.display(description="Released", ordering="released_at")
    def released(self, release: ModelRelease) -> str:
        return format_time(release.released_at)

    @admin.display(description="ROC AUC")
    def auc(self, release: Any) -> str:
        """Of the training's own cross-validation, as model.json has it."""
        try:
            return f"{float(release.measured_auc):.3f}"
        except (TypeError, ValueError):
            return NOT_MEASURED

    @admin.display(description="Model file")
    def checksum(self, release: ModelRelease) -> str:
        return release.sha256[:SHORT]

    @admin.display(description="Return to this model")
    def going_back(self, release: ModelRelease) -> str:
        """By a command, which verifies and rehearses the model first."""
        active = ModelRelease.objects.active()
        if active is not None and active.fingerprint == release.fingerprint:
            return "This is the active model."
        return f"An operator runs this command: manage.py release_model --rollback --to {release.pk} --by USERNAME"

    @admin.display(description="Shadow scoring before release")
    def in_shadow(self, release: ModelRelease) -> SafeString | str:
        proposal = release.proposals.filter(kind=ModelProposal.Kind.RELEASE).first()
        if proposal is None or shadow.last_run(proposal) is None:
            return NOT_IN_SHADOW
        return shadow.figures_html(proposal)

    @admin.display(description="Model card")
    def card(self, release: ModelRelease) -> SafeString:
        return card_html({**release.metadata, "sha256": release.sha256})
