"""Why a customer has this score, and what would lower it."""

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from customers.admin.customer_page.facts import CustomerFacts
from customers.admin.customer_page.values import format_value, part_name
from customers.ml_service import NOTE, InputError, ModelError, best_changes
from customers.presentation.bands import band
from customers.presentation.bars import SignedBar, signed_bars
from customers.presentation.reasons import ranked_parts, reasons_of
from customers.releases.active import active_model


def reasons_block(facts: CustomerFacts) -> SafeString | str:
    """The top reasons as sentences, and every part as a bar; nothing of a score that answers other fields."""
    customer = facts.customer
    if customer.stale_since is not None or customer.contributions is None:
        return "comes with the next score"
    sentences = [reason.text for reason in reasons_of(customer)] or ["no part of the score stands out"]
    values = customer.features()
    base = customer.churn_risk_score - sum(customer.contributions)
    return format_html(
        '<div class="vp-block"><ul>{}</ul>{}</div>',
        format_html_join("", "<li>{}</li>", ((sentence,) for sentence in sentences)),
        signed_bars(
            f"Percentage points that each part adds to, or takes from, {base:.1%}: the average that the model starts "
            "on.",
            [
                SignedBar(part_name(name), format_value(name, values.get(name)), 100 * share)
                for name, share in ranked_parts(customer.contributions)
            ],
        ),
    )


def suggestions_block(facts: CustomerFacts) -> SafeString | str:
    try:
        forest, _ = active_model()
        found = best_changes(forest, facts.customer.features())
    except (ModelError, InputError) as refused:
        return f"The model can't be asked: {refused}"
    if not found:
        return "Nothing that the bank could offer would lower the risk by a percentage point."
    return format_html(
        '<div class="vp-block"><ul>{}</ul><p class="vp-quiet">{}</p></div>',
        format_html_join("", "<li>{} ({})</li>", ((it.text, band(it.score_after)) for it in found)),
        NOTE,
    )
