"""The history of scores, and what audits found, in words and numbers of the staff."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString

from customers.admin.customer_list.filters import ChoiceFilter
from customers.admin.customer_list.paging import CappedPaginator
from customers.admin.lookups import customer_link, of_customer, release_link
from customers.admin.read_only import ReadOnlyAdmin
from customers.history.timeline import format_editor, names_of_editors
from customers.models import AuditFinding, ScoreRecord
from customers.presentation.bands import badge
from customers.presentation.durations import format_time
from customers.presentation.numbers import format_money, format_percent
from customers.presentation.reasons import format_contributions

NOT_KEPT = "not kept"


def name_editors(records: list[Any]) -> list[Any]:
    """The same records, each with ``editor``: who made the last change, by name; in one query for all of them."""
    names = names_of_editors({record.edited_by for record in records if record.edited_by})
    for record in records:
        record.editor = format_editor(names[record.edited_by]) if record.edited_by else ""
    return records


class RecordList(ChangeList):
    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        self.result_list = name_editors(list(self.result_list))


@admin.register(ScoreRecord)
class ScoreRecordAdmin(ReadOnlyAdmin):
    list_display = ("scored", "customer", "risk", "before", "cause", "changed_by", "release")
    list_display_links = ("scored",)
    show_full_result_count = False
    search_fields = ("=customer_id",)
    search_help_text = "Customer ID."
    paginator = CappedPaginator
    list_per_page = 50
    fieldsets = (
        (None, {"fields": ("scored", "customer", "risk", "before", "cause", "release", "points")}),
        ("Change that led to this score", {"fields": ("changed", "changed_by", "record_version")}),
        (
            "Customer data that was scored",
            {
                "fields": (
                    *("credit_score", "age", "tenure", "geography", "gender"),
                    *("money", "num_of_products", "has_cr_card", "is_active_member"),
                )
            },
        ),
    )
    readonly_fields = (
        *("scored", "customer", "risk", "before", "release", "points"),
        *("changed", "changed_by", "record_version", "money"),
    )

    class Media:
        css = {"all": ["customers/vigilpay.css"]}

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return RecordList

    def get_object(self, request: HttpRequest, object_id: str, from_field: str | None = None) -> ScoreRecord | None:
        found = super().get_object(request, object_id, from_field)
        return found and name_editors([found])[0]

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[ScoreRecord], search_term: str
    ) -> tuple[QuerySet[ScoreRecord], bool]:
        return of_customer(queryset, search_term), False

    @admin.display(description="Scored", ordering="scored_at")
    def scored(self, record: ScoreRecord) -> str:
        return format_time(record.scored_at)

    @admin.display(description="Customer", ordering="customer_id")
    def customer(self, record: ScoreRecord) -> SafeString:
        return customer_link(record.customer_id)

    @admin.display(description="Churn risk", ordering="score")
    def risk(self, record: ScoreRecord) -> SafeString:
        return badge(record.score)

    @admin.display(description="Previous risk")
    def before(self, record: ScoreRecord) -> str | None:
        return None if record.previous_score is None else format_percent(record.previous_score)

    @admin.display(description="Changed by")
    def changed_by(self, record: Any) -> str | None:
        return record.editor or None

    @admin.display(description="Changed")
    def changed(self, record: ScoreRecord) -> str | None:
        at = record.edited_at or record.stale_since
        return None if at is None else format_time(at, seconds=True)

    @admin.display(description="Model release", ordering="scored_by_id")
    def release(self, record: ScoreRecord) -> SafeString:
        return release_link(record.scored_by_id)

    @admin.display(description="Version of the customer's data")
    def record_version(self, record: ScoreRecord) -> int:
        return record.version

    @admin.display(description="Balance", empty_value=NOT_KEPT)
    def money(self, record: ScoreRecord) -> str | None:
        return None if record.balance is None else format_money(record.balance, cents=True)

    @admin.display(description="Effect of each factor, in points")
    def points(self, record: ScoreRecord) -> str:
        """Those of protected fields are summed up."""
        return NOT_KEPT if record.contributions is None else format_contributions(record.contributions)


class FindingStateFilter(ChoiceFilter):
    """By whether the wrong score is still stored, as far as audits have seen."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("open", "Open"), ("repaired", "Repaired")]

    def narrow(self, rows: QuerySet[Any], value: str) -> QuerySet[Any]:
        return rows.filter(repaired_at__isnull=value == "open")


@admin.register(AuditFinding)
class AuditFindingAdmin(ReadOnlyAdmin):
    list_display = ("found", "customer", "stored", "expected", "release", "repaired")
    list_display_links = ("found",)
    list_filter = (FindingStateFilter,)
    fields = ("found", "customer", "stored", "expected", "data_version", "release", "repaired")
    readonly_fields = ("found", "customer", "stored", "expected", "data_version", "release", "repaired")

    @admin.display(description="Found", ordering="found_at")
    def found(self, finding: AuditFinding) -> str:
        return format_time(finding.found_at)

    @admin.display(description="Customer", ordering="customer_id")
    def customer(self, finding: AuditFinding) -> SafeString:
        return customer_link(finding.customer_id)

    @admin.display(description="Stored risk", ordering="stored_score")
    def stored(self, finding: AuditFinding) -> str:
        return format_percent(finding.stored_score)

    @admin.display(description="Correct risk", ordering="expected_score")
    def expected(self, finding: AuditFinding) -> str:
        return format_percent(finding.expected_score)

    @admin.display(description="Model release")
    def release(self, finding: AuditFinding) -> SafeString:
        return release_link(finding.release_id)

    @admin.display(description="Version of the customer's data")
    def data_version(self, finding: AuditFinding) -> int:
        return finding.version

    @admin.display(description="Repaired", ordering="repaired_at", empty_value="Not yet")
    def repaired(self, finding: AuditFinding) -> str | None:
        return None if finding.repaired_at is None else format_time(finding.repaired_at)
