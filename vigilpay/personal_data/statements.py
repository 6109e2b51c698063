"""What takes one customer out of each table of ours. A test compares the list with the tables that there are.

In this order: the row goes first, so that whatever scores the customer has ended or finds no row; what its triggers
keep of it goes after it.
"""

import re

from customers.history.departures import IDS
from customers.scoring.marks import SWEEP
from vigilpay.personal_data.person import Person

# Of arrays of ids, then those that are empty.
OUT_OF_ARRAYS = """
WITH changed AS (
    UPDATE {table} SET {column} = array_remove({column}, %(id)s::bigint)
    WHERE {condition} %(id)s::bigint = ANY ({column})
    RETURNING {column}
) SELECT count(*) FROM changed
"""
EMPTY_ARRAYS = "DELETE FROM {table} WHERE {condition} {column} = '{{}}'"

REQUESTS = {"table": "customers_rescorerequest", "column": "customer_ids", "condition": ""}
SHADOW_WAITS = {"table": "customers_shadowwait", "column": "customer_ids", "condition": ""}
MARKS = {"table": "customers_stalemark", "column": "ids", "condition": f"kind < {SWEEP} AND"}

# The number of alerts that a message is about stands in the message, which is made of them when it is sent.
COUNT_ALERTS_OUT = """
WITH gone AS (
    SELECT rule_id, batch, count(*) AS number FROM events_alert WHERE customer_id = %(id)s GROUP BY rule_id, batch
), told AS (
    SELECT COALESCE(into_id, id) AS id, sum(number) AS number
    FROM events_delivery JOIN gone USING (rule_id, batch) GROUP BY COALESCE(into_id, id)
)
UPDATE events_delivery AS delivery SET alerts = delivery.alerts - told.number
FROM told WHERE delivery.id = told.id AND delivery.state = 'waiting'
"""

# Out of both arrays; those that hold no other customer go.
LEFT_WITH_OTHERS = f"""
UPDATE customers_departure AS departure SET (customer_ids, arrived_ats) = (
    SELECT array_agg(customer_id ORDER BY place), array_agg(arrived_at ORDER BY place)
    FROM unnest(departure.customer_ids, departure.arrived_ats) WITH ORDINALITY AS gone (customer_id, arrived_at, place)
    WHERE customer_id <> %(id)s)
WHERE {IDS} @> %(id)s::bigint - 1 AND %(id)s = ANY (departure.customer_ids)
"""
LEFT_ALONE = f"""
DELETE FROM customers_departure AS departure
WHERE {IDS} @> %(id)s::bigint - 1 AND %(id)s = ALL (departure.customer_ids)
"""

SET_SWEEPS_ON = f"""
UPDATE customers_stalemark SET ids = ARRAY[ids[1] + 1]
WHERE kind = {SWEEP} AND ids[1] = %(id)s AND ids[1] < {2**63 - 1}
"""

CHANGED_IN_IMPORT = """
UPDATE customers_importbatch SET changed_since_check = jsonb_set(changed_since_check, '{ids}', COALESCE((
    SELECT jsonb_agg(it) FROM jsonb_array_elements(changed_since_check -> 'ids') AS it
    WHERE it <> to_jsonb(%(id)s::bigint)), '[]'))
WHERE changed_since_check -> 'ids' @> to_jsonb(%(id)s::bigint)
"""

# A bank's own trigger may have named the customer in the sentence that ended an import.
IMPORT_TEXTS = """
UPDATE customers_importbatch SET message = left(regexp_replace(message, %(known)s, %(instead)s, 'gi'), 1000)
WHERE message ~* %(known)s
"""

# An entry keeps who did what and when.
ADMIN_LOG = """
UPDATE django_admin_log AS entry SET object_id = NULL, object_repr = %(instead)s, change_message = ''
FROM django_content_type AS type
WHERE type.id = entry.content_type_id AND type.app_label = 'customers' AND type.model IN ('customer', 'scoringfailure')
  AND entry.object_id = %(id)s::text
"""
# Texts of other entries name customers as models do ("score of customer 5"), or list ids, where failures were retried.
ADMIN_LOG_TEXTS = """
UPDATE django_admin_log AS entry SET
    object_repr = left(regexp_replace(entry.object_repr, %(named)s, %(instead)s, 'g'), 200),
    change_message = regexp_replace(regexp_replace(entry.change_message, %(named)s, %(instead)s, 'g'),
        CASE type.model WHEN 'scoringfailure' THEN %(listed)s ELSE %(named)s END, '\\1one erased')
FROM django_content_type AS type
WHERE type.id = entry.content_type_id AND (entry.object_repr ~ %(named)s OR entry.change_message ~ %(named)s
    OR (type.model = 'scoringfailure' AND entry.change_message ~ %(listed)s))
"""

TRAIL = """
UPDATE vigilpay_trailentry
SET customer_ids = array_remove(customer_ids, %(id)s::bigint), erased = array_append(erased, %(hash)s)
WHERE customer_ids @> ARRAY[%(id)s]::bigint[]
"""

# Who differed most when a proposed model was compared with the active one.
SHADOW_MOVERS = """
UPDATE customers_shadowrun SET movers = array_remove(movers, %(id)s::bigint) WHERE %(id)s::bigint = ANY (movers)
"""

# What the count of each is called, and how its rows go.
DELETED = {
    "customers": "DELETE FROM customers_customer WHERE customer_id = %(id)s",
    "versions without a score": "DELETE FROM customers_unscoredversion WHERE customer_id = %(id)s",
    "scores": "DELETE FROM customers_scorerecord WHERE customer_id = %(id)s",
    "departures": LEFT_ALONE,
    "shared departure records": LEFT_WITH_OTHERS,
    "exclusions from scoring": "DELETE FROM customers_scoringfailure WHERE customer_id = %(id)s",
    "audit findings": "DELETE FROM customers_auditfinding WHERE customer_id = %(id)s",
    "outcomes": "DELETE FROM customers_outcome WHERE customer_id = %(id)s",
    "contacts": "DELETE FROM customers_contact WHERE customer_id = %(id)s",
    "worklist items": "DELETE FROM customers_worklistitem WHERE customer_id = %(id)s",
    "messages on alerts, corrected": COUNT_ALERTS_OUT,
    "alerts": "DELETE FROM events_alert WHERE customer_id = %(id)s",
    "messages on no other alert": "DELETE FROM events_delivery WHERE state = 'waiting' AND alerts <= 0",
    "notes of imports": CHANGED_IN_IMPORT,
    "messages of imports": IMPORT_TEXTS,
    "entries of the admin's log": ADMIN_LOG,
    "mentions in the admin's log": ADMIN_LOG_TEXTS,
    "entries of the audit trail": TRAIL,
    "sweeps": SET_SWEEPS_ON,
    "recent moves": "DELETE FROM customers_recentmove WHERE customer_id = %(id)s",
    "shadow scores": "DELETE FROM customers_shadowscore WHERE customer_id = %(id)s",
    "entries in shadow comparisons": SHADOW_MOVERS,
}
TAKEN_OUT = {"rescore requests": REQUESTS, "marks": MARKS, "shadow requests": SHADOW_WAITS}

INSTEAD = "an erased customer"


def values_for(person: Person, keyed_hash: str) -> dict[str, object]:
    """The parameters of all statements above; words are matched as PostgreSQL's expressions do it."""
    customer_id, surname = person.customer_id, re.escape(person.surname)
    return {
        "id": customer_id,
        "hash": keyed_hash,
        "instead": INSTEAD,
        "named": rf"\mcustomer {customer_id}\M",
        "known": rf"\mcustomer {customer_id}\M" + (rf"|\m{surname}\M" if surname else ""),
        "listed": rf"(: |, ){customer_id}(?=[,. ])",
    }
