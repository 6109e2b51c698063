"""What a person says about an import: which file, and later whether it shall be imported."""

import io
from typing import IO, Any, cast

from django import forms
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from django.template.defaultfilters import filesizeformat

from customers.csv_import.columns import read_layout
from customers.csv_import.file import Lines, RefusedError, header_line, text_of
from customers.imports.models import ImportBatch

# More than any header needs: the rest is checked by a worker.
HEAD_BYTES = 1 << 16


class UploadForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for the type checker only
    file = forms.FileField(
        label="CSV file",
        help_text="In UTF-8, with a header. It is checked first; nothing is imported before you say so.",
        widget=forms.FileInput(attrs={"accept": ".csv,text/csv"}),
    )

    class Meta:
        model = ImportBatch
        fields: tuple[str, ...] = ()

    def clean_file(self) -> "UploadedFile[bytes]":
        file: UploadedFile[bytes] = self.cleaned_data["file"]
        refuse_too_large(file.size or 0)
        refuse_bad_head(file)
        return file


def refuse_too_large(size: int) -> None:
    limit = settings.IMPORT_MAX_MB * 1024 * 1024
    if size > limit:
        raise forms.ValidationError(
            f"The file has {filesizeformat(size)}, the limit is {filesizeformat(limit)}. Split it, "
            "or have an operator load it with manage.py import_customers."
        )


def refuse_bad_head(file: "UploadedFile[bytes]") -> None:
    """What a person should hear at once: another format, or a column that is missing."""
    head = io.BytesIO(file.read(HEAD_BYTES))
    file.seek(0)
    try:
        read_layout(header_line(Lines(text_of(cast(IO[bytes], head), file.name))))
    except RefusedError as error:
        raise forms.ValidationError(str(error)) from None


class NextStepForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for the type checker only
    IMPORT, CANCEL = "import", "cancel"

    next_step = forms.ChoiceField(widget=forms.RadioSelect, help_text="It is done when you save this page.")

    class Meta:
        model = ImportBatch
        fields: tuple[str, ...] = ()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        stop = (self.CANCEL, "Cancel, and forget the file")
        go_on = (self.IMPORT, "Import the rest now" if self.instance.stored_rows else "Import now")
        can_go_on = self.instance.state in ImportBatch.WAITING and self.instance.good_rows > 0
        field = cast(forms.ChoiceField, self.fields["next_step"])
        field.choices = [go_on, stop] if can_go_on else [stop]
