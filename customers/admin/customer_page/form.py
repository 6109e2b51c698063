"""The fields of a customer as staff fill them in."""

from typing import Any

from django import forms

from customers.ml_service.forest.encoding import find_faults
from customers.ml_service.schema import FEATURES
from customers.models import Customer


class CustomerForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for the type checker only
    """Says beside the field what may stand there; the table's constraints would only say which of them is violated."""

    class Meta:
        model = Customer
        fields = FEATURES

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or self.cleaned_data
        values = {field: cleaned[field] for field in FEATURES if cleaned.get(field) is not None}
        for field, fault in find_faults(values).items():
            self.add_error(field, forms.ValidationError(f"{fault[:1].upper()}{fault[1:]}.", code="impossible"))
        return cleaned


class ObjectionForm(CustomerForm):
    """With the customer's objection to profiling: what to do about it, not whether there is one. So a page that was
    opened before it was recorded does not withdraw it."""

    RECORD, WITHDRAW = "record", "withdraw"
    CHOICES = (
        ("", "Leave it as it is"),
        (RECORD, "The customer objects: delete the score and its reasons, and make no new one"),
        (WITHDRAW, "The customer withdraws the objection: score the customer again"),
    )

    objection = forms.ChoiceField(
        label="Objection to profiling",
        choices=CHOICES,
        required=False,
        help_text="GDPR, Article 21. It takes effect when you save this page, at once.",
    )


class Question(CustomerForm):
    """The nine values to ask the model with: filled in, and never saved."""

    def save(self, commit: bool = True) -> Any:
        raise TypeError("a question is not saved")
