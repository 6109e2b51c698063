"""The form by which staff record a contact, at the end of the page of a customer. Contacts are added, never changed."""

from datetime import date, timedelta
from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from customers.admin.customer_page.form import FocusedForm
from customers.admin.customer_page.worklist_panel import next_step
from customers.models import Contact, Customer, WorklistItem
from customers.outreach.worklist import open_item

MOST_DAYS_AHEAD = 730
ANCHOR = "contacts-group"  # what Django calls the part of the page


class ContactForm(FocusedForm):
    class Meta:
        model = Contact
        fields = ("channel", "outcome", "follow_up_on", "note")
        widgets = {"note": forms.Textarea(attrs={"rows": 3})}

    def clean_follow_up_on(self) -> date | None:
        chosen: date | None = self.cleaned_data["follow_up_on"]
        today = timezone.localdate()
        if chosen is not None and chosen < today:
            raise ValidationError("This day has passed. Choose today or a later day.")
        if chosen is not None and chosen > today + timedelta(days=MOST_DAYS_AHEAD):
            raise ValidationError("Choose a day within the next two years.")
        return chosen


class ContactFormSet(forms.models.BaseInlineFormSet):  # type: ignore[type-arg]
    def clean(self) -> None:
        super().clean()
        is_asked_for = not self.form_kwargs.get("empty_permitted", True)
        if is_asked_for and not self.forms:
            raise ValidationError("Enter the contact to record.")

    @property
    def empty_form(self) -> Any:
        """The model of a further form, which stays hidden: with no buttons of its own."""
        form = super().empty_form
        form.instance.is_hidden = True
        return form


class ContactInline(admin.StackedInline):  # type: ignore[type-arg]
    """One contact to record. Those recorded already are shown further up, with what stood then."""

    model = Contact
    form = ContactForm
    formset = ContactFormSet
    verbose_name = "new contact"
    extra = max_num = 1
    can_delete = False
    item: WorklistItem | None = None

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    has_change_permission = has_delete_permission = has_view_permission

    def get_formset(self, request: HttpRequest, obj: Customer | None = None, **kwargs: Any) -> Any:
        if obj is not None and request.user.has_perm("customers.work_worklist"):
            self.item = open_item(request.user.get_username(), obj.pk)
        return super().get_formset(request, obj, validate_max=True, **kwargs)

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return ("worklist",)

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        fields = (("channel", "outcome", "follow_up_on"), "note")
        return (*fields, "worklist") if self.item is not None else fields

    @admin.display(description="Worklist")
    def worklist(self, contact: Any) -> SafeString | str:
        return "" if self.item is None or hasattr(contact, "is_hidden") else next_step(self.item)
