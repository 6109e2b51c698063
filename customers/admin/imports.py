"""Uploads of staff: the file, what the check has found, how far the import is, and the rows that were rejected."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import Model
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, StreamingHttpResponse
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from customers.admin.read_only import ReadOnlyAdmin
from customers.import_export.uploads import steps, storage
from customers.import_export.uploads.forms import NextStepForm, UploadForm
from customers.models.imports import ImportBatch, ImportPiece
from customers.presentation.durations import format_age, format_time
from customers.presentation.numbers import format_count, format_percent

NOT_KNOWN = "Not known yet"

SHOWN = ("status", "checked", "progress", "message", "since_check", "report", "reasons", "rejected_rows")
ORIGIN = (
    "file_name",
    "file_bytes",
    "sha256",
    "decimal",
    "mapped_columns",
    "uploaded_by",
    "uploaded_at",
    "confirmed_by",
    "confirmed_at",
)


@admin.register(ImportBatch)
class ImportBatchAdmin(ReadOnlyAdmin):
    """Staff who may add imports may also confirm and cancel them. Nothing else of them changes, and they stay."""

    list_display = ("file_name", "uploaded_at", "uploaded_by", "state", "progress", "report")
    list_filter = ("state",)
    list_select_related = ("uploaded_by",)
    show_full_result_count = False

    @admin.display(description="Checked")
    def checked(self, batch: ImportBatch) -> str:
        """How old the check is; what is done about its age."""
        if batch.checked_at is None:
            return "Not yet"
        age = f"{format_time(batch.checked_at)} ({format_age(batch.checked_at, timezone.now())} ago)"
        if batch.state not in ImportBatch.WAITING:
            return age
        return (
            f"{age}. The customers are compared again before the import starts; if one has changed since this check, "
            "you are asked to confirm again."
        )

    @admin.display(description="Changed since the previous check")
    def since_check(self, batch: ImportBatch) -> SafeString | str:
        """The customers for whose sake the import has asked again, as a link to the list and one to each."""
        changed = batch.changed_since_check or {}
        if not changed.get("customers"):
            return "None"
        ids = changed["ids"]
        listed = f"{reverse('admin:customers_customer_changelist')}?customer_id__in={','.join(map(str, ids))}"
        links = format_html_join(
            ", ", '<a href="{}">{}</a>', ((reverse("admin:customers_customer_change", args=[it]), it) for it in ids)
        )
        more = f" and {changed['customers'] - len(ids):,} more" if changed["customers"] > len(ids) else ""
        return format_html('{}{} (<a href="{}">show in the list</a>)', links, more, listed)

    @admin.display(description="Progress")
    def progress(self, batch: ImportBatch) -> SafeString | str:
        if not batch.confirmed_at or not batch.good_rows:
            return "Nothing imported"
        done, rows = min(batch.stored_rows, batch.good_rows), batch.good_rows
        text = f"{done:,} of {format_count(rows, 'row', 'rows')} ({format_percent(done / rows)})"
        return format_html('<progress value="{}" max="{}" aria-label="{}"></progress> {}', done, rows, text, text)

    @admin.display(description="State")
    def status(self, batch: ImportBatch) -> SafeString | str:
        """While a worker is due to act, since when, and a link that asks again: the page never reloads by itself."""
        if batch.state not in ImportBatch.DUE:
            return batch.get_state_display()
        since = f"{batch.get_state_display()}… since {format_time(batch.state_since)}"
        page = reverse("admin:customers_importbatch_change", args=[batch.pk])
        return format_html('{} <a class="vp-update" href="{}">Update</a>', since, page)

    @admin.display(description="Customers")
    def report(self, batch: ImportBatch) -> str:
        """What was done, once something was; before that what would be."""
        if batch.new is None:
            return NOT_KNOWN if batch.state in ImportBatch.DUE else "None"
        rejected = f"{batch.rejected:,} rejected"
        if batch.confirmed_at:
            return f"{batch.stored_new:,} new, {batch.stored_changed:,} changed; {rejected}"
        return f"{batch.new:,} new, {batch.changed:,} changed, {batch.unchanged:,} unchanged, {rejected}"

    @admin.display(description="Result of the check")
    def reasons(self, batch: ImportBatch) -> SafeString | str:
        """Before a check has ended nothing is known of the file."""
        if batch.checked_at is None:
            return NOT_KNOWN if batch.state in ImportBatch.DUE else "Not checked"
        lines = format_html_join("", "<li>{}</li>", ((note,) for note in batch.notes))
        return format_html("<ul>{}</ul>", lines) if batch.notes else "No remarks"

    @admin.display(description="Rejected rows")
    def rejected_rows(self, batch: ImportBatch) -> SafeString | str:
        if batch.rejected is None:
            return NOT_KNOWN if batch.state in ImportBatch.DUE else "Not checked"
        if not batch.rejected:
            return "None"
        if not batch.pieces.filter(of=ImportPiece.Of.REJECTS).exists():
            return f"{batch.rejected:,}; the file of rejected rows is no longer kept"
        address = reverse("admin:customers_importbatch_rejects", args=[batch.pk])
        return format_html('<a href="{}" download>Download as CSV, with line numbers and reasons</a>', address)

    @admin.display(description="Mapping")
    def mapped_columns(self, batch: ImportBatch) -> SafeString | str:
        """As it was when the file was uploaded."""
        mapping = (batch.conventions or {}).get("mapping", {})
        lines = format_html_join("", "<li>{} = {}</li>", sorted(mapping.items()))
        return format_html("<ul>{}</ul>", lines) if mapping else "None"

    # --- who may do what ----------------------------------------------------------------------------------------------

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("customers.add_importbatch")

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return super().has_view_permission(request, obj) or self.has_add_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        """Only as long as the import can go on."""
        can_go_on = isinstance(obj, ImportBatch) and obj.state not in ImportBatch.FINAL
        return can_go_on and self.has_add_permission(request)

    # --- the pages ----------------------------------------------------------------------------------------------------

    def get_form(self, request: HttpRequest, obj: Model | None = None, change: bool = False, **kwargs: Any) -> Any:
        if not change:
            kwargs["form"] = UploadForm
        elif self.has_change_permission(request, obj):
            kwargs["form"] = NextStepForm
        return super().get_form(request, obj, change, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: Model | None = None) -> tuple[str, ...]:
        return (*SHOWN, *ORIGIN) if obj else ()

    def get_fieldsets(self, request: HttpRequest, obj: Model | None = None) -> Any:
        if obj is None:
            return [(None, {"fields": ("file", "decimal", "mapping")})]
        step = [("Next step", {"fields": ("next_step", "check")})] if self.has_change_permission(request, obj) else []
        return [(None, {"fields": SHOWN}), *step, ("The file", {"fields": ORIGIN})]

    def get_urls(self) -> list[URLPattern]:
        rejects = self.admin_site.admin_view(self.rejects_view)
        return [
            path("<int:batch_id>/rejects/", rejects, name="customers_importbatch_rejects"),
            *super().get_urls(),
        ]

    def rejects_view(self, request: HttpRequest, batch_id: int) -> StreamingHttpResponse:
        batch = get_object_or_404(ImportBatch, pk=batch_id)
        if not self.has_add_permission(request) or not batch.rejected:
            raise Http404
        disposition = {"Content-Disposition": f'attachment; filename="import-{batch.pk}.rejects.csv"'}
        return StreamingHttpResponse(
            storage.pieces(batch, ImportPiece.Of.REJECTS), content_type="text/csv; charset=utf-8", headers=disposition
        )

    # --- what is done -------------------------------------------------------------------------------------------------

    def save_model(self, request: HttpRequest, obj: ImportBatch, form: Any, change: bool) -> None:
        if not change:
            file = form.cleaned_data["file"]
            obj.file_name = (file.name or "")[-200:]
            obj.uploaded_by_id = request.user.pk
            steps.begin(obj, file.chunks(storage.PIECE_BYTES))
        elif form.cleaned_data["next_step"] == NextStepForm.IMPORT and form.is_of_another_check:
            messages.warning(
                request,
                "Nothing was imported: the file has been checked again. Review the changes, then confirm or cancel.",
            )
        elif not (
            steps.confirm(obj, request.user.pk or 0)
            if form.cleaned_data["next_step"] == NextStepForm.IMPORT
            else steps.cancel(obj, f"Cancelled by {request.user.get_username()}.")
        ):
            messages.warning(request, "Nothing was changed: the state of the import has changed. See below.")

    def construct_change_message(self, request: HttpRequest, form: Any, formsets: Any, add: bool = False) -> Any:
        """What the log keeps of it: a sentence."""
        if add:
            return "Uploaded for checking."
        return "Confirmed." if form.cleaned_data["next_step"] == NextStepForm.IMPORT else "Cancelled."

    def response_add(
        self, request: HttpRequest, obj: ImportBatch, post_url_continue: str | None = None
    ) -> HttpResponse:
        messages.success(request, "The file is being checked. Nothing is imported until you confirm.")
        return self.response_change(request, obj)

    def response_change(self, request: HttpRequest, obj: ImportBatch) -> HttpResponse:
        """Back to its page."""
        return HttpResponseRedirect(reverse("admin:customers_importbatch_change", args=[obj.pk]))
