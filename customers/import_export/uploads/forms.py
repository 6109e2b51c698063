"""What staff enter about an import: which file, and later whether it shall be imported."""

import io
from collections.abc import Mapping
from typing import IO, Any, cast

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.template.defaultfilters import filesizeformat

from customers.import_export.csv_files.columns import CUSTOMERS, read_layout
from customers.import_export.csv_files.file import Lines, RefusedError, header_line, text_of
from customers.import_export.csv_files.packed import MB, unpacked
from customers.import_export.mapping import parse, with_mapping
from customers.models.imports import ImportBatch
from customers.models.mapping import ColumnMapping

# More than any header needs: the rest is checked by a worker.
HEAD_BYTES = 1 << 16


class UploadForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for the type checker only
    file = forms.FileField(
        label="CSV file",
        help_text="UTF-8 with a header line; may be gzip-compressed. The file is checked first. "
        "Nothing is imported until you confirm.",
        widget=forms.FileInput(attrs={"accept": ".csv,.gz,text/csv,application/gzip"}),
    )
    decimal = forms.ChoiceField(
        label="Decimal mark",
        required=False,
        choices=[("", "Detect automatically"), *ImportBatch.DECIMALS],
        help_text="Needed only if the check reports that a column is ambiguous, or mixes commas and points.",
    )

    mapping = forms.ModelChoiceField(
        ColumnMapping.objects.all(),
        required=False,
        empty_label="None",
        help_text="Needed only if the column names differ from the standard names.",
    )

    class Meta:
        model = ImportBatch
        fields = ("decimal",)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        kept = cleaned.get("mapping")
        try:
            mapping = parse(kept.columns.splitlines()) if kept else {}
        except RefusedError as error:
            self.add_error("mapping", str(error))
            return cleaned
        if "file" in cleaned:
            self.refuse_bad_head(cleaned["file"], mapping)
        self.instance.conventions = {"mapping": mapping}
        return cleaned

    def refuse_bad_head(self, file: "UploadedFile[bytes]", mapping: Mapping[str, str]) -> None:
        """What the user should learn at once: another format, or a column that is missing."""
        try:
            head = io.BytesIO(unpacked(cast(IO[bytes], file.file), file.name).read(HEAD_BYTES))
            read_layout(header_line(Lines(text_of(head, file.name))), with_mapping(CUSTOMERS, mapping))
        except RefusedError as error:
            self.add_error("file", str(error))
        finally:
            file.seek(0)

    def clean_file(self) -> "UploadedFile[bytes]":
        file: UploadedFile[bytes] = self.cleaned_data["file"]
        size, limit = file.size or 0, settings.IMPORT_MAX_MB * MB
        if size > limit:
            raise forms.ValidationError(
                f"The file has {filesizeformat(size)}; the limit is {filesizeformat(limit)}. Split the file, "
                "or ask an operator to load it."
            )
        return file


class NextStepForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for the type checker only
    IMPORT, CANCEL = "import", "cancel"

    next_step = forms.ChoiceField(widget=forms.RadioSelect, help_text="Choose the next step, then save.")
    # Which check the page has shown: meanwhile there may be another, with other customers to look at.
    check = forms.CharField(widget=forms.HiddenInput, required=False)

    class Meta:
        model = ImportBatch
        fields: tuple[str, ...] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["check"].initial = f"{self.instance.checked_at}"
        stop = (self.CANCEL, "Cancel, and delete the file")
        go_on = (self.IMPORT, "Import the remaining rows now" if self.instance.stored_rows else "Import now")
        can_go_on = self.instance.state in ImportBatch.WAITING and self.instance.good_rows > 0
        field = cast(forms.ChoiceField, self.fields["next_step"])
        field.choices = [go_on, stop] if can_go_on else [stop]

    @property
    def is_of_another_check(self) -> bool:
        """Whether the file has been compared again since the page was shown."""
        return bool(self.cleaned_data["check"]) and self.cleaned_data["check"] != f"{self.instance.checked_at}"
