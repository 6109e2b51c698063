"""Why a customer has this score, and what would lower it."""

from django.conf import settings
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from customers.admin.customer_page.facts import CustomerFacts
from customers.admin.customer_page.values import format_value, part_name
from customers.ml_service import NOTE, InputError, ModelError, best_changes
from customers.presentation.bands import band
from customers.presentation.bars import SignedBar, signed_bars
from customers.presentation.numbers import format_count, format_money, format_percent
from customers.presentation.reasons import ranked_parts, reasons_of
from customers.presentation.score_state import is_current
from customers.presentation.training_range import describe_outside_training
from customers.releases.active import active_model, model_at_hand
from customers.scoring.failures import describe_refusal

SMALLEST_BAR = 1.0  # percentage points


def reasons_block(facts: CustomerFacts) -> SafeString | str:
    """The top reasons in words, and each notable factor as a bar; nothing of a score that answers other fields."""
    customer = facts.customer
    if customer.stale_since is not None or customer.contributions is None:
        return "No reasons are shown until the score is up to date."
    found = [reason.text for reason in reasons_of(customer)] or ["No single factor changes the risk significantly."]
    return format_html(
        '<div class="vp-block"><ul class="vp-reasons">{}</ul>{}{}</div>',
        format_html_join("", "<li>{}</li>", ((text,) for text in found)),
        format_html_join("", "<p>{}</p>", ((text,) for text in outside_training(facts))),
        bars(facts),
    )


def outside_training(facts: CustomerFacts) -> list[str]:
    """Which values make the score less reliable; nothing where the model cannot be asked."""
    try:
        forest, _ = model_at_hand()
    except (ModelError, InputError):
        return []
    return describe_outside_training(facts.customer.features(), forest.metadata)


def bars(facts: CustomerFacts) -> SafeString:
    customer = facts.customer
    values = customer.features()
    parts = [
        SignedBar(part_name(name), format_value(name, values.get(name)), 100 * share)
        for name, share in ranked_parts(customer.contributions)
    ]
    shown = [part for part in parts if abs(part.points) >= SMALLEST_BAR]
    if not shown:
        return SafeString("")
    average = format_percent(customer.churn_risk_score - sum(customer.contributions))
    caption = f"Effect of each factor compared with the average risk of {average}."
    if small := len(parts) - len(shown):
        caption = f"{caption} Not shown: {format_count(small, 'factor', 'factors')} of less than 1 point."
    return signed_bars(caption, shown)


def suggestions_block(facts: CustomerFacts) -> SafeString | str:
    """What the bank could offer; nothing beside a score that answers something else."""
    if not is_current(facts.customer):
        return "No offers are shown until the score is up to date."
    try:
        forest, _ = active_model()
        values = facts.customer.features()
        found = best_changes(forest, values, protected=settings.PROTECTED_FIELDS, format_money=format_money)
    except (ModelError, InputError) as refused:
        return f"The model cannot answer: {describe_refusal(refused)}"
    if not found:
        return "No offer would lower the risk by 1 point or more."
    return format_html(
        '<div class="vp-block"><ul>{}</ul><p class="vp-quiet">{}</p></div>',
        format_html_join("", "<li>{} ({})</li>", ((it.text, band(it.score_after)) for it in found)),
        NOTE,
    )
