"""The form of an alert rule: risks are typed in percent and points, and stored as the shares that scores are."""

from decimal import Decimal
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator

from customers.presentation.word_input import WordInput
from customers.releases.words import known_words
from events.models.alerts import LONGEST_DAYS, AlertRule, format_hundredths

Kind = AlertRule.Kind

# What is needed for each kind, by field, in words; what stands in the others of these fields would be ignored.
NEEDED: dict[str, dict[str, str]] = {
    Kind.THRESHOLD: {"threshold": "Enter the risk that raises an alert, in percent: 75 for 75 %."},
    Kind.RISE: {
        "rise": "Enter by how many points the risk must rise: 30 for 30 points.",
        "days": f"Enter the number of days, from 1 to {LONGEST_DAYS}.",
    },
}
# Django would call an empty choice "Unknown".
SEGMENTS = {
    "is_active_member": [("unknown", "All customers"), ("true", "Active members"), ("false", "Inactive members")],
    "has_cr_card": [("unknown", "All customers"), ("true", "With a credit card"), ("false", "Without a credit card")],
}
LEAVE_EMPTY = "Leave this empty for this kind of rule."
FIELDS = ("threshold", "rise", "days")


class HundredthsField(forms.DecimalField):
    """A share, typed and shown as percent or points: 75 stands for 0.75.

    What is stored, by a program perhaps, stays possible: it is refused only where staff type it anew.
    """

    stored: float | None = None

    def __init__(self, *, most: int, unit: str, **options: Any) -> None:
        example = f"Enter a number from 1 to {most}, in {unit}: 75, not 0.75."
        super().__init__(
            validators=[MinValueValidator(1, example), MaxValueValidator(most, example)],
            error_messages={"invalid": example},
            widget=forms.NumberInput(attrs={"step": "any", "min": 1, "max": most}),
            required=False,
            **options,
        )

    def prepare_value(self, value: Any) -> Any:
        """A share as it is stored; what was typed comes back as it was."""
        return format_hundredths(value) if isinstance(value, float) else value

    def to_python(self, value: Any) -> Any:
        text = str(value or "").strip().removesuffix("%").strip()
        return super().to_python(text)

    def run_validators(self, value: Any) -> None:
        if self.stored is None or value != Decimal(format_hundredths(self.stored)):
            super().run_validators(value)

    def clean(self, value: Any) -> Any:
        typed = super().clean(value)
        return None if typed is None else float(typed / 100)

    def has_changed(self, initial: Any, data: Any) -> bool:
        return super().has_changed(self.prepare_value(initial), data)


class AlertRuleForm(forms.ModelForm):  # type: ignore[type-arg]  # generic for the type checker only
    threshold = HundredthsField(most=100, unit="percent", help_text="In percent: 75 for a churn risk of 75 %.")
    rise = HundredthsField(
        most=99, unit="points", label="Rise of more than", help_text="In points: 30 for a rise from 40 % to above 70 %."
    )

    days = forms.IntegerField(
        required=False, min_value=1, max_value=LONGEST_DAYS, help_text=f"For a rise: 1 to {LONGEST_DAYS} days."
    )

    class Meta:
        model = AlertRule
        fields = ("kind", *FIELDS)  # the page names all of its fields itself

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, field in self.fields.items():
            if isinstance(field, HundredthsField):
                field.stored = getattr(self.instance, name)
        if "geography" in self.fields:
            self.fields["geography"].widget = WordInput(known_words().words("geography"))
        for name, choices in SEGMENTS.items():
            if name in self.fields:
                self.fields[name].widget.choices = choices

    def clean(self) -> dict[str, Any] | None:
        """Each field that is missing or out of place with its own error."""
        cleaned: dict[str, Any] = super().clean() or self.cleaned_data
        needed = NEEDED.get(cleaned.get("kind", ""))
        if needed is None:
            return cleaned
        for name in FIELDS:
            if name in needed and cleaned.get(name) is None and name not in self.errors:
                self.add_error(name, needed[name])
            elif name not in needed and cleaned.get(name) is not None:
                self.add_error(name, LEAVE_EMPTY)
        return cleaned
