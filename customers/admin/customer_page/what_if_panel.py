"""The question what the score would be, and its answer, as a part of the page of a customer."""

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

PLACE = "what-if"


def what_if_block(facts: CustomerFacts) -> SafeString:
    """The fields of the page are those of the question; a reader who may not edit them gets some to ask with."""
    question = Question(facts.asked, initial=facts.customer.features(), auto_id="what_if_%s")
    address = reverse(f"admin:{URL_NAME}", args=[facts.customer.pk])
    return format_html(
        '<div class="vp-block" id="{}">{}{}<p><button type="submit" class="vp-button" formaction="{}#{}">'
        'What would the score be?</button></p><p class="vp-quiet">{} Nothing is stored.</p></div>',
        PLACE,
        SafeString("") if facts.asked is None else answer(facts, question),
        SafeString("") if facts.may_edit else inputs(question),
        address,
        PLACE,
        "Asks the model with the values that stand in the fields of this page now.",
    )


def inputs(question: Question) -> SafeString:
    fields = ((it.id_for_label, it.label, it.as_widget(), it.errors) for it in question)
    return format_html(
        '<div class="vp-question">{}</div>',
        format_html_join("", '<div><label for="{}">{}</label>{}{}</div>', fields),
    )


def answer(facts: CustomerFacts, question: Question) -> SafeString:
    return format_html(
        '<div class="vp-card" role="status">{}<p><a href="{}">Back to the stored values</a></p></div>',
        answer_to(facts, question),
        reverse("admin:customers_customer_change", args=[facts.customer.pk]),
    )


def answer_to(facts: CustomerFacts, question: Question) -> SafeString:
    if not question.is_valid():
        return format_html("<p>{}</p>", "Correct the fields that are marked, then ask again.")
    stored = facts.customer.features()
    changes = {field: new for field, new in question.cleaned_data.items() if new != stored[field]}
    try:
        found: Mapping[str, Any] = insights.answer_what_if(WhatIfQuestion(facts.customer.pk, {}, changes))
    except (ModelError, InputError, CustomerObjectedError) as refused:
        return format_html("<p>The model can't be asked: {}</p>", refused)
    before = badge(found["score_before"])
    if not found["changes"]:
        return format_html("<p>No field differs from what is stored: {}. Change some, and ask again.</p>", before)
    return format_html(
        '<p>{} → {} {}</p><p>With {}.</p><p class="vp-quiet">{}</p>',
        before,
        badge(found["score_after"]),
        format_points(100 * found["change"], " points"),
        format_changes((field, stored[field], value) for field, value in found["changes"].items()),
        found["caveat"],
    )
