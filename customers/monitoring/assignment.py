"""The customers whom the control group is compared with, by what was known before contacts could change it.

Contacts change scores, and who leaves early: chosen by a later score, the two groups would no longer be alike. So a
customer counts by the last score from before the control group was fixed, or else by the first one since, and for all
the days from then on.
"""

from datetime import timedelta

import numpy as np
from django.conf import settings
from django.utils import timezone

from customers.models import Contact, ControlGroup
from customers.monitoring.comparison import Comparison, compare
from customers.monitoring.window import HAS_LEFT, OUTCOMES, Window
from customers.outreach.control import IN_CONTROL, control_values
from customers.outreach.worklist import LEAST_BAND
from customers.presentation.durations import format_day
from customers.sql import fetch_rows

# A record that is no longer kept has its score in the next one. Those who came so late that they were not observed for
# all days of the evaluation do not count, nor contacts after the customer had left.
ASSIGNED = f"""
WITH before AS (
    SELECT DISTINCT ON (customer_id) customer_id, score
    FROM customers_scorerecord WHERE scored_at < %(since)s ORDER BY customer_id, id DESC
), first AS (
    SELECT DISTINCT ON (customer_id) customer_id, previous_score, score, scored_at
    FROM customers_scorerecord WHERE scored_at >= %(since)s ORDER BY customer_id, id
), customer AS (
    SELECT customer_id, COALESCE(before.score, previous_score, first.score) AS score,
        CASE WHEN COALESCE(before.score, previous_score) IS NULL
            THEN (scored_at AT TIME ZONE %(zone)s)::date ELSE %(first_day)s END AS since
    FROM before FULL JOIN first USING (customer_id)
), first_contact AS (
    SELECT customer_id, (min(at) AT TIME ZONE %(zone)s)::date AS day
    FROM customers_contact
    WHERE at >= %(begins)s AND at < %(ends)s AND outcome <> '{Contact.Outcome.NOT_REACHED}'
    GROUP BY customer_id
), fate AS (
    SELECT score, {HAS_LEFT} AS has_left, {IN_CONTROL} AS is_control,
        first_contact.day IS NOT NULL AND COALESCE(first_contact.day <= outcome.left_on, true) AS is_contacted
    FROM customer {OUTCOMES} LEFT JOIN first_contact USING (customer_id)
    WHERE since <= %(latest)s AND COALESCE(outcome.left_on >= since, true) AND present.objected_at IS NULL
)
SELECT score, has_left, is_control, is_contacted FROM fate WHERE has_left IS NOT NULL
"""


def compared_days(group: ControlGroup, window: Window) -> Window:
    """From when the control group was fixed to the end of the evaluation's days."""
    return Window(timezone.localdate(group.since), window.last_day)


def why_not_compared(group: ControlGroup | None, window: Window) -> str:
    """Why there is nothing to compare with a control group; empty where there is."""
    if group is None:
        return (
            "There is no control group, so the effect of contacts is not known. Set VIGILPAY_CONTROL_SHARE, for "
            "example to 0.05: a random 5 % of the customers is then in no worklist."
        )
    since = format_day(group.since)
    if group.since > window.begins:
        return (
            f"The control group exists since {since}, and the window begins before it: the effect of contacts is not "
            "known. Choose a later --as-of."
        )
    if group.since < timezone.now() - timedelta(days=settings.HISTORY_DAYS):
        return (
            f"The control group exists since {since}, and the scores of that day are no longer kept: the effect of "
            f"contacts is not known. VIGILPAY_HISTORY_DAYS is {settings.HISTORY_DAYS}."
        )
    return ""


def compare_assigned(group: ControlGroup, window: Window) -> Comparison:
    """Of the customers in the range of the worklist: no other has missed a contact by being in the control group."""
    values = {
        **compared_days(group, window).values(),
        **control_values(group),
        "since": group.since,
        "latest": window.first_day,
        "zone": settings.TIME_ZONE,
    }
    columns = np.array(fetch_rows(ASSIGNED, values), dtype=np.float64).reshape(-1, 4).T
    left, control, contacted = columns[1:].astype(bool)
    return compare(columns[0], left, control, contacted, least_score=settings.RISK_BANDS[LEAST_BAND - 1])
