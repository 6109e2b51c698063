"""The question what the score would be, and its answer."""

from collections.abc import Mapping
from typing import Any

from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from customers.admin.customer_page.facts import CustomerFacts
from customers.admin.customer_page.form import Question
from customers.admin.customer_page.history import format_points
from customers.admin.customer_page.values import format_changes
from customers.admin.customer_page.what_if import URL_NAME
from customers.api import insights
from customers.api.validation import WhatIfQuestion
from customers.ml_service import InputError, ModelError
from customers.presentation.bands import badge
from customers.scoring.claims import CustomerObjectedError
from customers.scoring.failures import describe_refusal


def link_to_what_if(facts: CustomerFacts) -> SafeString:
    """On the page of the customer."""
    address = reverse(f"admin:{URL_NAME}", args=[facts.customer.pk])
    return format_html(
        '<div class="vp-block"><a class="vp-button" href="{}">Try other values</a> '
        '<span class="vp-quiet">{}</span></div>',
        address,
        "Calculates the churn risk with other values. Nothing is stored.",
    )


def what_if_block(facts: CustomerFacts) -> SafeString:
    """The answer, if there was a question, and the fields of the next one."""
    question = Question(facts.asked, initial=facts.customer.features(), auto_id="what_if_%s")
    return format_html(
        '<div class="vp-block">{}{}<p><button type="submit" class="vp-button">Calculate risk</button> '
        '<a href="{}">Back to the customer</a></p><p class="vp-quiet">Nothing is stored.</p></div>',
        SafeString("") if facts.asked is None else answer(facts, question),
        inputs(question),
        reverse("admin:customers_customer_change", args=[facts.customer.pk]),
    )


def inputs(question: Question) -> SafeString:
    fields = ((it.id_for_label, it.label, it.as_widget(), help_text(it), it.errors) for it in question)
    return format_html(
        '<div class="vp-question">{}</div>',
        format_html_join("", '<div><label for="{}">{}</label>{}{}{}</div>', fields),
    )


def help_text(field: Any) -> SafeString:
    """Where the field itself says that it is, to those who listen to the page."""
    if not field.help_text:
        return SafeString("")
    return format_html('<div class="help" id="{}_helptext">{}</div>', field.id_for_label, field.help_text)


def answer(facts: CustomerFacts, question: Question) -> SafeString:
    return format_html('<div class="vp-card" role="status">{}</div>', answer_to(facts, question))


def answer_to(facts: CustomerFacts, question: Question) -> SafeString:
    if not question.is_valid():
        return format_html("<p>{}</p>", "Correct the marked values, then calculate again.")
    stored = facts.customer.features()
    changes = {field: new for field, new in question.cleaned_data.items() if new != stored[field]}
    try:
        found: Mapping[str, Any] = insights.answer_what_if(WhatIfQuestion(facts.customer.pk, {}, changes))
    except (ModelError, InputError, CustomerObjectedError) as refused:
        return format_html("<p>The model cannot answer: {}</p>", describe_refusal(refused))
    before = badge(found["score_before"])
    if not found["changes"]:
        return format_html("<p>No value differs from the stored ones: {}. Change a value first.</p>", before)
    return format_html(
        '<p>{} → {} {}</p><p>With {}.</p><p class="vp-quiet">{}</p>',
        before,
        badge(found["score_after"]),
        format_points(100 * found["change"], " points"),
        format_changes((field, stored[field], value) for field, value in found["changes"].items()),
        found["caveat"],
    )
