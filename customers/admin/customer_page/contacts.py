"""Contacts on the page of a customer: the last ones, and the form that records a new one.

Staff who may record contacts, but not edit customers, save the page as well: what they send is the contact alone. The
form of the customer has no fields then, and nothing of the customer is saved, whatever else the request holds.
"""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.utils import flatten_fieldsets
from django.contrib.auth import get_permission_codename
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from customers.admin.customer_page.contact_form import ANCHOR, ContactInline
from customers.admin.customer_page.facts import CustomerFacts, facts_of
from customers.admin.customer_page.worklist_panel import SAVE_AND_NEXT, describe_item, go_to_next, top_of_page
from customers.models import Contact, Customer
from customers.outreach import contacts, worklist
from customers.presentation.bands import badge
from customers.presentation.durations import format_day, format_time

SHOWN = 5
SECTION = "Contacts"
FIELD, BEFORE = "contacts", "suggestions"
HEADINGS = ("When", "By", "Channel", "Outcome", "Risk at contact", "Follow-up", "Note")


class ContactsPage(admin.ModelAdmin):  # type: ignore[type-arg]  # generic for the type checker only
    """The part of a customer's page that is about contacts. It comes first among the bases of the page."""

    def get_inlines(self, request: HttpRequest, obj: Customer | None) -> Any:
        """With a new contact, unless what is posted has none: a page that was opened before there were contacts."""
        is_asked = not is_what_if(request) and (request.method != "POST" or sends_contact(request))
        may = obj is not None and is_asked and may_record(request)
        return [*super().get_inlines(request, obj), *([ContactInline] if may else [])]

    def get_readonly_fields(self, request: HttpRequest, obj: Customer | None = None) -> tuple[str, ...]:
        fields = tuple(super().get_readonly_fields(request, obj))
        if obj is None:
            return fields
        shown = flatten_fieldsets(self.get_fieldsets(request, obj)) if is_contact_alone(request) else ()
        return tuple(dict.fromkeys([*fields, FIELD, *shown]))

    def get_fieldsets(self, request: HttpRequest, obj: Customer | None = None) -> Any:
        """With the contacts behind what would lower the risk; of a customer who has objected, behind the state."""
        sections = list(super().get_fieldsets(request, obj))
        if obj is None or is_what_if(request) or not request.user.has_perm("customers.view_contact"):
            return sections
        if obj.objected_at is not None:
            sections.insert(1, (SECTION, {"fields": (FIELD,)}))
            return sections
        return [with_contacts(section) for section in sections]

    def render_change_form(self, request: HttpRequest, context: Any, *args: Any, **kwargs: Any) -> HttpResponse:
        """With one button to save a contact alone: there is nothing to go on editing."""
        if not may_edit(self, request) and may_record(request):
            context["show_save_and_continue"] = False
        return super().render_change_form(request, context, *args, **kwargs)

    @admin.display(description="Last contacts")
    def contacts(self, customer: Customer) -> SafeString:
        return contacts_block(facts_of(customer))

    # --- saving ---------------------------------------------------------------------------------------------------

    def changeform_view(
        self, request: Any, object_id: str | None = None, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """As Django's; afterwards, when all is stored, on to the next customer where that was asked for."""
        is_contact = object_id is not None and request.method == "POST" and sends_contact(request)
        request.contact_alone = is_contact and not may_edit(self, request) and may_record(request)
        response = super().changeform_view(request, object_id, form_url, extra_context)
        return go_to_next(request) if wants_next(request) and recorded_in(request) else response

    def has_change_permission(self, request: HttpRequest, obj: Customer | None = None) -> bool:
        """Without it Django refuses every page that is posted."""
        return super().has_change_permission(request, obj) or is_contact_alone(request)

    def may_record_objection(self, request: HttpRequest, customer: Customer) -> bool:
        may: bool = super().may_record_objection(request, customer)  # type: ignore[misc]  # of the page
        return may and not is_contact_alone(request)

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any) -> Any:
        if is_contact_alone(request):
            return forms.modelform_factory(Customer, form=forms.ModelForm, fields=())
        return super().get_form(request, obj, change, **kwargs)

    def get_formset_kwargs(self, request: HttpRequest, obj: Any, inline: Any, prefix: str) -> dict[str, Any]:
        """A contact is asked for where it is all that is saved, or ends an item of the worklist."""
        given: dict[str, Any] = super().get_formset_kwargs(request, obj, inline, prefix)
        if isinstance(inline, ContactInline) and (is_contact_alone(request) or wants_next(request)):
            given["form_kwargs"] = {"empty_permitted": False}
        return given

    def get_inline_formsets(self, request: Any, formsets: Any, inline_instances: Any, obj: Any = None) -> Any:
        """Django would leave out the form of a contact for a reader who may not edit the customer."""
        former = is_contact_alone(request)
        request.contact_alone = obj is not None and any(isinstance(it, ContactInline) for it in inline_instances)
        try:
            return super().get_inline_formsets(request, formsets, inline_instances, obj)
        finally:
            request.contact_alone = former

    def save_model(self, request: Any, obj: Customer, form: Any, change: bool) -> None:
        """Nothing of the customer where a contact is all that was sent. The score is read before an edit ends it."""
        if is_contact_alone(request):
            return
        if change:
            request.standing = contacts.standing_of(obj.pk)
            request.edits_customer = form.has_changed()
        super().save_model(request, obj, form, change)

    def save_formset(self, request: Any, form: Any, formset: Any, change: bool) -> None:
        if formset.model is not Contact:
            return super().save_formset(request, form, formset, change)
        for contact in formset.save(commit=False):
            standing = getattr(request, "standing", None) or contacts.standing_of(contact.customer_id)
            request.contact = contacts.record(contact, request.user.get_username(), standing)
            if wants_next(request):
                worklist.finish(contact.by, contact.customer_id)
        return None

    def response_change(self, request: HttpRequest, obj: Customer) -> HttpResponse:
        contact = recorded_in(request)
        if contact is None:
            return super().response_change(request, obj)
        messages.success(request, describe_recorded(contact))
        if getattr(request, "edits_customer", False):
            return super().response_change(request, obj)
        return HttpResponseRedirect(top_of_page(obj.pk))


def with_contacts(section: Any) -> Any:
    """The section that has what would lower the risk, with the contacts behind it; every other one as it is."""
    name, options = section
    fields = list(options["fields"])
    if BEFORE not in fields:
        return section
    fields.insert(fields.index(BEFORE) + 1, FIELD)
    return name, {**options, "fields": tuple(fields)}


def may_edit(page: ContactsPage, request: HttpRequest) -> bool:
    """Whether the reader may change customers, whatever this request may be let through for."""
    return request.user.has_perm(f"customers.{get_permission_codename('change', page.opts)}")


def is_what_if(request: HttpRequest) -> bool:
    return getattr(request, "is_what_if", False) or getattr(request, "asked", None) is not None


def is_contact_alone(request: HttpRequest) -> bool:
    """Whether this request saves a contact, by a reader who may not edit the customer."""
    return getattr(request, "contact_alone", False)


def sends_contact(request: HttpRequest) -> bool:
    return f"{FIELD}-TOTAL_FORMS" in request.POST


def may_record(request: HttpRequest) -> bool:
    return request.user.has_perm("customers.add_contact") and request.user.has_perm("customers.view_customer")


def wants_next(request: HttpRequest) -> bool:
    asked = request.method == "POST" and SAVE_AND_NEXT in request.POST
    return asked and request.user.has_perm("customers.work_worklist")


def recorded_in(request: HttpRequest) -> Contact | None:
    """The contact that this request has stored."""
    return getattr(request, "contact", None)


def describe_recorded(contact: Contact) -> str:
    follow_up = f" Follow-up on {format_day(contact.follow_up_on)}." if contact.follow_up_on else ""
    return f"Contact with customer {contact.customer_id} recorded.{follow_up}"


# --- what is shown ----------------------------------------------------------------------------------------------------


def contacts_block(facts: CustomerFacts) -> SafeString:
    """The last contacts, the newest first, and the way to the form; and whether the customer is on one's worklist."""
    customer, reader = facts.customer, facts.reader
    item = (
        worklist.open_item(reader.get_username(), customer.pk) if reader.has_perm("customers.work_worklist") else None
    )
    made = contacts.contacts_with(customer.pk, SHOWN + 1)
    return format_html(
        '<div class="vp-block">{}{}<p>{}</p></div>',
        "" if item is None else format_html("<p>{}</p>", describe_item(item, customer)),
        table(made[:SHOWN], with_scores=customer.objected_at is None)
        if made
        else format_html("<p>{}</p>", "No contact recorded."),
        links(facts, with_all=len(made) > SHOWN),
    )


def table(made: list[Contact], *, with_scores: bool) -> SafeString:
    return format_html(
        '<div class="vp-wide"><table class="vp-contacts"><thead><tr>{}</tr></thead><tbody>{}</tbody></table></div>',
        format_html_join("", '<th scope="col">{}</th>', ((heading,) for heading in HEADINGS)),
        format_html_join("", "<tr>{}</tr>", ((cells(contact, with_scores),) for contact in made)),
    )


def cells(contact: Contact, with_scores: bool) -> SafeString:
    """Of a customer who has objected to profiling no former score is shown."""
    shown = (
        format_time(contact.at),
        contact.by,
        contact.get_channel_display(),
        contact.get_outcome_display(),
        badge(contact.score) if with_scores and contact.score is not None else "",
        format_day(contact.follow_up_on) if contact.follow_up_on else "",
        contact.note,
    )
    return format_html_join("", '<td data-label="{}">{}</td>', zip(HEADINGS, shown, strict=True))


def links(facts: CustomerFacts, *, with_all: bool) -> SafeString:
    found = []
    if facts.reader.has_perm("customers.add_contact"):
        found.append((f"#{ANCHOR}", "Record a contact"))
    if with_all:
        found.append((f"{reverse('admin:customers_contact_changelist')}?q={facts.customer.pk}", "All contacts"))
    return format_html_join(" · ", '<a href="{}">{}</a>', found)
