"""How groups of customers stand, in HTML: by their scores of today, and by who left."""

from datetime import datetime

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from customers.ml_service.card import Table
from customers.ml_service.card.groups import calibration_table, named, rate_tables, selection_table
from customers.monitoring.fairness import Fairness, Judged
from customers.presentation.durations import format_day, format_time
from customers.presentation.tables import Cell, figures_table

EXPLANATION = (
    "Selected customers have a churn risk at or above the threshold. 'Of those who left' is the true positive rate; "
    "'of those who stayed' is the false positive rate. Brackets show 95 % intervals. No single figure shows that a "
    "model is fair."
)


def fairness_section(found: Fairness | None, checked_at: datetime | None) -> Cell:
    """The newest check of the active release."""
    if found is None or checked_at is None:
        return format_html("<p>{}</p>", "Fairness has not been checked yet for the active model. This is done daily.")
    head = (
        f"Checked on {format_time(checked_at)}: {found.customers:,} customers with an up-to-date score of release "
        f"{found.release}."
    )
    table = selection_table(named(found.groups), found.thresholds)
    return format_html(
        "<p>{}</p>{}{}{}",
        head,
        format_html("<p>Warning: {}</p>", found.warning) if found.warning else "",
        as_figures("Customers by group and churn risk", table),
        format_html("<p>{}</p>", f"Outcomes: {found.no_outcomes}")
        if found.judged is None
        else calibration_part(found.judged),
    )


def calibration_part(found: Judged) -> SafeString:
    """Mean score beside the share that left."""
    return as_figures(
        f"Churn risks and customers who left: {describe_days(found)}", calibration_table(named(found.groups))
    )


def rates_section(found: Fairness) -> Cell:
    """Who was selected rightly and wrongly, threshold by threshold; empty without outcomes."""
    if found.judged is None:
        return ""
    tables = rate_tables(named(found.judged.groups), found.thresholds)
    shown = (as_figures(f"{for_staff(table.header[0])}: {describe_days(found.judged)}", table) for table in tables)
    return format_html("{}<p>{}</p>", format_html_join("", "{}", ((table,) for table in shown)), EXPLANATION)


def describe_days(found: Judged) -> str:
    first, last = format_day(found.first_day), format_day(found.last_day)
    return f"churn risks of release {found.release} before {first}, customers who left from {first} to {last}"


def as_figures(caption: str, table: Table) -> SafeString:
    rows = ((capitalised(name), *cells) for name, *cells in table.rows)
    return figures_table(caption, ("Group", *map(for_staff, table.header[1:])), rows, numbers=True)


def for_staff(heading: str) -> str:
    """To them a score is a churn risk."""
    return capitalised(heading.replace("score", "churn risk"))


def capitalised(words: str) -> str:
    return words[:1].upper() + words[1:]
