"""The history of scores, and what audits found."""

from django.contrib import admin

from customers.admin.customer_list.paging import CappedPaginator
from customers.admin.read_only import ReadOnlyAdmin
from customers.models import AuditFinding, ScoreRecord
from customers.presentation.reasons import format_contributions


@admin.register(ScoreRecord)
class ScoreRecordAdmin(ReadOnlyAdmin):
    list_display = (
        "scored_at",
        "customer_id",
        "previous_score",
        "score",
        "cause",
        "edited_by",
        "version",
        "scored_by",
    )
    show_full_result_count = False
    paginator = CappedPaginator
    exclude = ("contributions",)  # nine bare numbers, gender's and country's among them
    readonly_fields = ("points",)

    @admin.display(description="Points of risk")
    def points(self, record: ScoreRecord) -> str:
        return "not kept" if record.contributions is None else format_contributions(record.contributions)


@admin.register(AuditFinding)
class AuditFindingAdmin(ReadOnlyAdmin):
    list_display = ("found_at", "customer_id", "version", "stored_score", "expected_score", "release", "repaired_at")
    list_filter = (("repaired_at", admin.EmptyFieldListFilter),)
