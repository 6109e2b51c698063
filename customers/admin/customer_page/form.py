"""The fields of a customer as staff fill them in."""

from typing import Any

from django import forms
from django.forms.utils import ErrorList
from django.utils.html import format_html

from customers.ml_service.forest.encoding import find_faults
from customers.ml_service.schema import FEATURES, WORD_FIELDS
from customers.models import Customer
from customers.presentation.word_input import WordInput
from customers.releases.words import known_words


class FocusedForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for the type checker only
    """Shown again, it has its first wrong field in sight."""

    def full_clean(self) -> None:
        super().full_clean()
        if first := next(iter(self.wrong_fields()), None):
            first.field.widget.attrs["autofocus"] = True

    def wrong_fields(self) -> list[forms.BoundField]:
        """Those that may not stand as they are filled in, in the order of the form."""
        return [field for field in self if field.name in self.errors]


class CustomerForm(FocusedForm):
    """Says beside the field what may stand there; the table's constraints would only say which of them is violated.

    What is wrong is listed at the head of the page, with a way to each field.
    """

    class Meta:
        model = Customer
        fields = FEATURES

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """A word that the model does not know may be stored: the customer waits for a model that does."""
        super().__init__(*args, **kwargs)
        if offered := [name for name in WORD_FIELDS if name in self.fields]:
            known = known_words()
            for name in offered:
                self.fields[name].widget = WordInput(known.words(name))

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        values = {field: cleaned[field] for field in FEATURES if cleaned.get(field) is not None}
        for field, fault in find_faults(values).items():
            self.add_error(field, forms.ValidationError(f"{fault[:1].upper()}{fault[1:]}.", code="impossible"))
        return cleaned

    def non_field_errors(self) -> ErrorList:
        """Also those of the fields: the admin shows these at the head of the page."""
        lines = (
            format_html('<a href="#{}">{}</a>: {}', field.id_for_label, field.label, " ".join(map(str, field.errors)))
            for field in self.wrong_fields()
        )
        return self.error_class([*super().non_field_errors(), *lines], error_class="nonfield", renderer=self.renderer)


class ObjectionForm(CustomerForm):
    """With the customer's objection to profiling: what to do about it, not whether there is one. So a page that was
    opened before it was recorded does not withdraw it.
    """

    RECORD, WITHDRAW = "record", "withdraw"
    CHOICES = (
        ("", "No change"),
        (RECORD, "Record an objection: delete the score and its reasons, and calculate no new score"),
        (WITHDRAW, "Withdraw the objection: score the customer again"),
    )

    objection = forms.ChoiceField(
        label="Objection",
        choices=CHOICES,
        required=False,
        help_text="GDPR, Article 21. Takes effect when you save.",
    )


class Question(CustomerForm):
    """The nine values to ask the model with: filled in, and never saved."""

    def save(self, commit: bool = True) -> Any:
        raise TypeError("a question is not saved")
