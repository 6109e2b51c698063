"""The triggers of the engine: what PostgreSQL itself does at every edit, by any editor.

Declared here (those of other tables in ``feed.py``, ``alert_sql.py`` and ``released.py``), installed by
``events/migrations`` and by ``manage.py install_triggers``, compared with what is really installed by
``events/triggers/installation.py``. What an edit pays for them, and what was tried instead, is in
docs/decisions/0007-triggers.md and 0026-marks-are-arrays.md.
"""

from customers.ml_service.schema import FEATURES
from events.triggers import feed, lives, objections
from events.triggers.alert_sql import ALERTED
from events.triggers.feed import ANNOUNCED
from events.triggers.released import RELEASED
from events.triggers.rights import NOT_THE_SCORER, NOTE_THE_EDITOR, RETURN_IF_SCORER, RIGHTS
from events.triggers.sql import (
    DECIDE,
    MARK,
    MARKING,
    MEND,
    OF_CUSTOMERS,
    ORIGIN,
    OUR_NAMES,
    REPLICA,
    SCORE_COLUMNS,
    Trigger,
    changed,
    clear,
    keep_old,
    mark_the_one,
)

# What the scorer alone may write, and what the triggers below own.
ENGINE_COLUMNS = (
    "arrived_at",
    "version",
    "stale_since",
    "edited_at",
    "edited_by",
    *SCORE_COLUMNS,
)

# A new row is stale, whatever the INSERT says of the engine's columns; an old backup's scores are recomputed. It begins
# a life of its id, by the clock and not the statement's time: one statement, a CALL, may reload a table twice. A row
# that comes with an objection to being scored is not stale: docs/decisions/0033-objection.md.
ARRIVE = Trigger(
    name="vigilpay_0_arrive",
    event="BEFORE INSERT",
    body=f"""
BEGIN
    NEW.arrived_at := pg_catalog.clock_timestamp();
    NEW.version := 1;
    NEW.stale_since := CASE WHEN NEW.objected_at IS NULL THEN pg_catalog.statement_timestamp() END;
    NEW.edited_at := CASE WHEN NEW.objected_at IS NOT NULL THEN pg_catalog.statement_timestamp() END;
    {NOTE_THE_EDITOR}
{clear(SCORE_COLUMNS)}
    RETURN NEW;
END
""",
)

# A full save() of an old instance writes old values into every column: version and score would go back unseen.
# Triggers fire by name: the guard first, so that the version moved by the next one stands.
GUARD = Trigger(
    name="vigilpay_1_guard",
    event=f"BEFORE UPDATE OF {', '.join(ENGINE_COLUMNS)}",
    condition=f"\nWHEN {NOT_THE_SCORER}",
    body=f"""
BEGIN
{keep_old(ENGINE_COLUMNS)}
    RETURN NEW;
END
""",
)

# The comparison stands in the body: PostgreSQL reads a WHEN condition anew for every statement, a body once a session.
# At every UPDATE, for a list of columns is held against the statement's words, not against what the bank's own triggers
# make of the row; and behind those by its name. A changed id counts as an edit, since marks and history go by it, and
# as an arrival, for the new id may have had customers before: at a time that the statement's own can't be later than,
# and without the score, which the history has under the former id.
# Where nothing else has changed, an engine's column that another trigger has written is set back. An objection is an
# edit, too: it clears the score, and a score that comes too late is not stored. So is its withdrawal, which leaves the
# customer stale.
STAMP = Trigger(
    name="zzz_vigilpay_stamp",
    event="BEFORE UPDATE",
    body=f"""
BEGIN
    IF NOT ({changed(("customer_id", *FEATURES, "objected_at"))}) THEN
        {RETURN_IF_SCORER}
        IF {changed(ENGINE_COLUMNS)} THEN
        {keep_old(ENGINE_COLUMNS)}
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.customer_id OPERATOR(pg_catalog.<>) OLD.customer_id THEN
        NEW.arrived_at := GREATEST(pg_catalog.clock_timestamp(), pg_catalog.statement_timestamp());
    {clear(SCORE_COLUMNS)}
    END IF;
    IF OLD.stale_since IS NOT NULL THEN
        NEW.edited_at := pg_catalog.statement_timestamp();
    END IF;
    NEW.stale_since := COALESCE(NEW.stale_since, pg_catalog.statement_timestamp());
    NEW.version := OLD.version OPERATOR(pg_catalog.+) 1;
    {NOTE_THE_EDITOR}
    IF COALESCE(NEW.objected_at, OLD.objected_at) IS NOT NULL THEN
        NEW.edited_at := pg_catalog.statement_timestamp();
        IF NEW.objected_at IS NOT NULL THEN
    NEW.stale_since := NULL;
{clear(SCORE_COLUMNS)}
        END IF;
    END IF;
    RETURN NEW;
END
""",
)

# The rows as they are stored, whatever other triggers have made of their ids or their staleness.
ARRIVED = Trigger(
    name="vigilpay_3_arrived",
    event="AFTER INSERT",
    level="STATEMENT",
    transition="\nREFERENCING NEW TABLE AS changed",
    fires=ORIGIN,
    with_rights_of_owner=True,
    body=f"""
{OUR_NAMES}
DECLARE
    ids bigint[];
    missed bigint[];
    scorer text;
    {MARKING}
BEGIN
    {OF_CUSTOMERS}
    {DECIDE}
    {mark_the_one()}
    SELECT array_agg(customer_id), array_agg(customer_id) FILTER (WHERE stale_since IS NULL)
    INTO ids, missed FROM changed WHERE objected_at IS NULL;
    IF ids IS NULL THEN
        RETURN NULL;
    END IF;
    {MEND}
    {MARK}
    RETURN NULL;
END
""",
)

# Marks what the stamp has stamped, and holds all other rows against what they were: a trigger behind ours may have
# changed a field without the stamp, or an engine's column without the guard. Former versions that no score has answered
# are kept with the rights of the owner: a role that may write customers need not be able to write history.
# By EXCEPT: whatever plan of a join a session keeps, it was made for the few rows of its first statement.
STAMPED = "COALESCE(stale_since, objected_at) IS NOT NULL AND statement_timestamp() IN (stale_since, edited_at)"
MAY_BE_RENAMED = "arrived_at >= statement_timestamp()"
FIELDS = ", ".join(["customer_id", *FEATURES])
FIELDS_AND_SCORES = ", ".join([FIELDS, *ENGINE_COLUMNS])


def missed(compared: str) -> str:
    """Customers whose row is not what it was, though the stamp has not seen it change."""
    return f"""SELECT array_agg(customer_id) INTO missed FROM (
            SELECT {compared} FROM changed WHERE ({STAMPED}) IS NOT TRUE
            EXCEPT SELECT {compared} FROM former) AS missing;"""


EDITED = Trigger(
    name="vigilpay_4_edited",
    event="AFTER UPDATE",
    level="STATEMENT",
    transition="\nREFERENCING OLD TABLE AS former NEW TABLE AS changed",
    fires=ORIGIN,
    with_rights_of_owner=True,
    body=f"""
{OUR_NAMES}
DECLARE
    ids bigint[];
    missed bigint[];
    objectors bigint[];
    sure boolean;
    overwritten boolean;
    unscored boolean;
    scorer text;
    {MARKING}
BEGIN
    {OF_CUSTOMERS}
    {DECIDE}
    {mark_the_one(f" AND NOT {MAY_BE_RENAMED}")}
    SELECT array_agg(customer_id) FILTER (WHERE {STAMPED} AND objected_at IS NULL), bool_and(({STAMPED}) IS TRUE),
        bool_or(edited_at = statement_timestamp()), bool_or({MAY_BE_RENAMED} OR objected_at IS NOT NULL)
    INTO ids, sure, overwritten, unscored FROM changed;
    IF NOT sure AND current_setting('vigilpay.scorer', true) = 'on' THEN
        {missed(FIELDS)}
    ELSIF NOT sure THEN
        {missed(FIELDS_AND_SCORES)}
    END IF;
    ids := ids || missed;
    IF missed IS NOT NULL OR overwritten
            AND (pg_trigger_depth() = 1 OR current_setting('vigilpay.scorer', true) IS DISTINCT FROM 'on') THEN
        {lives.keep("overwritten", lives.OVERWRITTEN)}
    END IF;
    IF unscored OR missed IS NOT NULL THEN
        {feed.LOST}
        {lives.RENAMED}
        {objections.OBJECTORS}
        {objections.FORGET}
    END IF;
    IF ids IS NULL THEN
        RETURN NULL;
    END IF;
    {MEND}
    {MARK}
    RETURN NULL;
END
""",
)

# The apply worker of logical replication fires triggers of rows only, and only those that are enabled for it.
REPLICATED = Trigger(
    name="vigilpay_5_replicated",
    event="AFTER INSERT OR DELETE OR UPDATE",
    fires=REPLICA,
    with_rights_of_owner=True,
    body=f"""
{OUR_NAMES}
DECLARE
    ids bigint[] := ARRAY[NEW.customer_id];
    objectors bigint[];
    {MARKING}
BEGIN
    {OF_CUSTOMERS}
    IF TG_OP = 'DELETE' OR TG_OP = 'UPDATE' AND (NEW.customer_id <> OLD.customer_id
            OR NEW.objected_at IS NOT NULL AND OLD.churn_risk_score IS NOT NULL) THEN
        {feed.announce_one("OLD.customer_id")}
    END IF;
    {lives.END_ONE}
    IF TG_OP = 'DELETE' THEN
        IF {lives.unscored("OLD")} THEN
            {lives.keep("OLD")}
        END IF;
        RETURN NULL;
    END IF;
    IF TG_OP = 'UPDATE' THEN
        IF NEW.version = OLD.version AND NEW.customer_id = OLD.customer_id THEN
            RETURN NULL;
        END IF;
        IF {lives.unscored("OLD")} THEN
            {lives.keep("OLD")}
        END IF;
        IF NEW.objected_at IS NOT NULL AND OLD.objected_at IS NULL THEN
            objectors := ids;
        END IF;
        {objections.FORGET}
    END IF;
    {DECIDE}
    {MARK}
    RETURN NULL;
END
""",
)

# With the lives of a customer id: docs/decisions/0024. What replication deletes is kept by the trigger above.
LEAVE = Trigger(
    name="vigilpay_leave",
    event="AFTER DELETE",
    level="STATEMENT",
    transition=f"\nREFERENCING OLD TABLE AS {lives.GONE}",
    fires=ORIGIN,
    with_rights_of_owner=True,
    body=lives.END_LIVES,
)
LEAVE_ALL = Trigger(
    name="vigilpay_leave_all",
    event="BEFORE TRUNCATE",
    level="STATEMENT",
    with_rights_of_owner=True,
    body=lives.END_ALL_LIVES,
)

TRIGGERS = (ARRIVE, GUARD, STAMP, RIGHTS, ARRIVED, EDITED, REPLICATED, LEAVE, LEAVE_ALL, RELEASED, ANNOUNCED, ALERTED)


def install_sql() -> list[str]:
    """All statements, in an order that works."""
    return [trigger.install_sql() for trigger in TRIGGERS]
