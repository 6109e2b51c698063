"""The triggers of the engine: what PostgreSQL itself does at every edit, whoever makes it.

Declared here, installed by ``events/migrations`` and by ``manage.py install_triggers``, compared with what is really
installed by ``events/checks.py``. What an edit pays for them, and what was tried instead, is in
docs/decisions/0007-triggers.md and 0012-stale-marks.md.
"""

from dataclasses import dataclass
from hashlib import sha256

from customers.marks import ARRAY_IDS, LARGE, LATER, LIVE, SWEEP
from customers.ml_service.schema import FEATURES
from events.alerts.raising import BODY, STORED
from events.channels import STALE_CHANNEL

CUSTOMERS = "customers_customer"
RELEASES = "customers_modelrelease"
RECORDS = "customers_scorerecord"

# What the scorer alone may write, and what the triggers below own.
ENGINE_COLUMNS = (
    "version",
    "stale_since",
    "edited_at",
    "edited_by",
    "churn_risk_score",
    "scored_version",
    "scored_by_id",
    "scored_at",
    "contributions",
    "reason_codes",
)

# A statement that edits so few customers is live: people wait for each of them. So are as many statements of one
# transaction; a loop over a portfolio is one large edit, however small its statements are.
LIVE_ROWS = 8
LIVE_STATEMENTS = 8

# An editor's own search_path may not see the engine's tables, so every name is written with its schema, as extensions
# of PostgreSQL do it; the name is filled in where the SQL is installed, as is the owner of the customers.
SCHEMA = "@schema@"
INSTALL = (
    "DO $install$ BEGIN EXECUTE replace(replace($sql${sql}$sql$, '@schema@', quote_ident(current_schema())), '@owner@',"
    " (SELECT quote_ident(pg_get_userbyid(relowner)) FROM pg_class WHERE oid = 'customers_customer'::regclass));"
    " END $install$;"
)
# Of a function that runs with its owner's rights: no operator of the editor's own can stand in front of PostgreSQL's.
SAFE_PATH = "search_path=pg_catalog, pg_temp"

# When a trigger fires: in ordinary sessions, where replicated changes are applied, or in both.
ORIGIN, REPLICA, ALWAYS = "O", "R", "A"
ENABLE = {ORIGIN: "ENABLE", REPLICA: "ENABLE REPLICA", ALWAYS: "ENABLE ALWAYS"}


@dataclass(frozen=True)
class Trigger:
    """One trigger and the function that only it calls, under one name."""

    name: str
    event: str
    body: str
    table: str = CUSTOMERS
    level: str = "ROW"
    condition: str = ""
    transition: str = ""
    fires: str = ALWAYS
    with_rights_of_owner: bool = False

    def install_sql(self) -> str:
        """Create or replace function and trigger, and note what was declared where the check can read it."""
        comment = f"COMMENT ON TRIGGER {self.name} ON @schema@.{self.table} IS '{self.fingerprint()}';"
        return INSTALL.format(sql=f"{self.create_sql()}\n{comment}")

    def create_sql(self) -> str:
        rights = f" SECURITY DEFINER SET {SAFE_PATH}" if self.with_rights_of_owner else ""
        return f"""
CREATE OR REPLACE FUNCTION @schema@.{self.name}() RETURNS trigger
LANGUAGE plpgsql{rights}
AS $body${self.body}$body$;{self._only_ours() if self.with_rights_of_owner else ""}
CREATE OR REPLACE TRIGGER {self.definition()};
ALTER TABLE @schema@.{self.table} {ENABLE[self.fires]} TRIGGER {self.name};"""

    def _only_ours(self) -> str:
        """Firing a trigger asks for no right to execute, but making one does: no other role can make one of this."""
        return f"""
ALTER FUNCTION @schema@.{self.name}() OWNER TO @owner@;
REVOKE ALL ON FUNCTION @schema@.{self.name}() FROM PUBLIC;"""

    def definition(self) -> str:
        """When it fires and what it calls, as ``pg_get_triggerdef`` would say it but for spacing and casts."""
        return f"""{self.name}
{self.event} ON @schema@.{self.table}{self.transition}
FOR EACH {self.level}{self.condition}
EXECUTE FUNCTION @schema@.{self.name}()"""

    def uninstall_sql(self) -> str:
        return f"DROP TRIGGER IF EXISTS {self.name} ON {self.table}; DROP FUNCTION IF EXISTS {self.name}();"

    def fingerprint(self) -> str:
        """Changes with every change of the declaration."""
        return sha256(self.create_sql().encode()).hexdigest()


def _changed(columns: tuple[str, ...]) -> str:
    return "\n       OR ".join(f"OLD.{column} IS DISTINCT FROM NEW.{column}" for column in columns)


def _keep_old(columns: tuple[str, ...]) -> str:
    return "\n".join(f"    NEW.{column} := OLD.{column};" for column in columns)


# NOTIFY takes a database-wide lock at commit, so it is sent only while no worker has promised to look anyway. The
# promise is read from a sequence, in milliseconds: a table would cost a query. It holds from now to a minute ahead, see
# events/watch.py. A transaction that is to be prepared must not notify at all.
KNOCK = f"""IF abs(pg_sequence_last_value('@schema@.events_awake'::regclass) - 30000
           - date_part('epoch', clock_timestamp()) * 1000) <= 30000 THEN
        NULL;
    ELSIF current_setting('vigilpay.notify', true) IS DISTINCT FROM 'off' THEN
        NOTIFY {STALE_CHANNEL};
    END IF;"""

# What runs with its owner's rights runs for our table alone, whoever may have made a trigger of it.
OF_CUSTOMERS = f"""IF TG_RELID <> '@schema@.{CUSTOMERS}'::regclass THEN
        RAISE insufficient_privilege USING MESSAGE = 'permission denied: this function belongs to {CUSTOMERS}';
    END IF;"""

# One dot for each small statement of this transaction: a rollback to a savepoint takes it back with the mark itself,
# and whatever an editor sets there decides no more than whose turn it is.
MARK = f"""IF cardinality(ids) <= {LIVE_ROWS} THEN
        statements := current_setting('vigilpay.small_edits', true);
        INSERT INTO @schema@.customers_stalemark (kind, ids)
        SELECT CASE WHEN length(statements) >= {LIVE_STATEMENTS} THEN {LATER} ELSE {LIVE} END, ARRAY[edited]
        FROM unnest(ids) AS edited;
        statements := set_config('vigilpay.small_edits', left(concat(statements, '.'), {LIVE_STATEMENTS}), true);
    ELSE
        INSERT INTO @schema@.customers_stalemark (kind, ids)
        SELECT {LARGE}, ids[first : first + {ARRAY_IDS - 1}]
        FROM generate_series(1, cardinality(ids), {ARRAY_IDS}) AS first;
    END IF;
    {KNOCK}"""

# Cut to length: no edit may fail for a long name.
EDITOR = "left(COALESCE(NULLIF(current_setting('vigilpay.editor', true), ''), 'sql:' || session_user), 80)"

# Rows that another trigger of the bank's has changed behind ours: stale from now on, by the scorer's right.
MEND = f"""IF missed IS NOT NULL THEN
        scorer := COALESCE(current_setting('vigilpay.scorer', true), '');
        PERFORM set_config('vigilpay.scorer', 'on', true);
        UPDATE @schema@.{CUSTOMERS} SET version = version + 1, edited_by = {EDITOR}, edited_at =
            CASE WHEN stale_since IS NULL THEN edited_at ELSE statement_timestamp() END,
            stale_since = COALESCE(stale_since, statement_timestamp())
        WHERE customer_id = ANY (missed);
        PERFORM set_config('vigilpay.scorer', scorer, true);
    END IF;"""

VERSION = f"customer_id, version, stale_since, edited_at, edited_by, {', '.join(FEATURES)}"
FORMER_VERSION = f"customer_id, version, GREATEST(stale_since, edited_at), edited_by, {', '.join(FEATURES)}"

# A new row is stale, whatever the INSERT says of the engine's columns; an old backup's scores are recomputed.
ARRIVE = Trigger(
    name="vigilpay_0_arrive",
    event="BEFORE INSERT",
    body=f"""
BEGIN
    NEW.version := 1;
    NEW.stale_since := statement_timestamp();
    NEW.edited_at := NULL;
    NEW.edited_by := {EDITOR};
    NEW.churn_risk_score := NULL;
    NEW.scored_version := NULL;
    NEW.scored_by_id := NULL;
    NEW.scored_at := NULL;
    NEW.contributions := NULL;
    NEW.reason_codes := NULL;
    RETURN NEW;
END
""",
)

# A full save() of an old instance writes old values into every column: version and score would go back unseen.
# Triggers fire by name: the guard first, so that the version moved by the next one stands.
GUARD = Trigger(
    name="vigilpay_1_guard",
    event=f"BEFORE UPDATE OF {', '.join(ENGINE_COLUMNS)}",
    condition="\nWHEN (current_setting('vigilpay.scorer', true) IS DISTINCT FROM 'on')",
    body=f"""
BEGIN
{_keep_old(ENGINE_COLUMNS)}
    RETURN NEW;
END
""",
)

# The comparison stands in the body: PostgreSQL reads a WHEN condition anew for every statement, a body once a session.
# At every UPDATE, for a list of columns is held against the statement's words, not against what the bank's own triggers
# make of the row. A changed id counts as an edit, since marks and history go by it.
STAMP = Trigger(
    name="vigilpay_2_stamp",
    event="BEFORE UPDATE",
    body=f"""
BEGIN
    IF NOT ({_changed(("customer_id", *FEATURES))}) THEN
        RETURN NEW;
    END IF;
    IF OLD.stale_since IS NOT NULL THEN
        NEW.edited_at := statement_timestamp();
    END IF;
    NEW.stale_since := COALESCE(NEW.stale_since, statement_timestamp());
    NEW.version := OLD.version + 1;
    NEW.edited_by := {EDITOR};
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
DECLARE
    ids bigint[];
    missed bigint[];
    scorer text;
    statements text;
BEGIN
    {OF_CUSTOMERS}
    SELECT array_agg(customer_id), array_agg(customer_id) FILTER (WHERE stale_since IS NULL)
    INTO ids, missed FROM changed;
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
STAMPED = "statement_timestamp() IN (stale_since, edited_at)"
COMPARED = ", ".join(["customer_id", *FEATURES, *(f"CASE WHEN guarded THEN {column} END" for column in ENGINE_COLUMNS)])
EDITED = Trigger(
    name="vigilpay_4_edited",
    event="AFTER UPDATE",
    level="STATEMENT",
    transition="\nREFERENCING OLD TABLE AS former NEW TABLE AS changed",
    fires=ORIGIN,
    with_rights_of_owner=True,
    body=f"""
DECLARE
    ids bigint[];
    missed bigint[];
    unsure boolean;
    overwritten boolean;
    guarded boolean;
    scorer text;
    statements text;
BEGIN
    {OF_CUSTOMERS}
    SELECT array_agg(customer_id) FILTER (WHERE {STAMPED}), bool_or(({STAMPED}) IS NOT TRUE),
        bool_or(edited_at = statement_timestamp())
    INTO ids, unsure, overwritten FROM changed;
    IF unsure THEN
        guarded := current_setting('vigilpay.scorer', true) IS DISTINCT FROM 'on';
        SELECT array_agg(customer_id) INTO missed FROM (
            SELECT {COMPARED} FROM changed WHERE ({STAMPED}) IS NOT TRUE EXCEPT SELECT {COMPARED} FROM former) AS missing;
        ids := ids || missed;
    END IF;
    IF missed IS NOT NULL OR overwritten
            AND (pg_trigger_depth() = 1 OR current_setting('vigilpay.scorer', true) IS DISTINCT FROM 'on') THEN
        INSERT INTO @schema@.customers_unscoredversion
            (customer_id, version, edited_at, edited_by, {", ".join(FEATURES)})
        SELECT {FORMER_VERSION} FROM (
            SELECT {VERSION} FROM former WHERE stale_since IS NOT NULL EXCEPT SELECT {VERSION} FROM changed) AS overwritten;
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
    event="AFTER INSERT OR UPDATE",
    fires=REPLICA,
    with_rights_of_owner=True,
    body=f"""
DECLARE
    ids bigint[] := ARRAY[NEW.customer_id];
    statements text;
BEGIN
    {OF_CUSTOMERS}
    IF TG_OP = 'UPDATE' THEN
        IF NEW.version = OLD.version AND NEW.customer_id = OLD.customer_id THEN
            RETURN NULL;
        END IF;
        IF OLD.stale_since IS NOT NULL THEN
            INSERT INTO @schema@.customers_unscoredversion
                (customer_id, version, edited_at, edited_by, {", ".join(FEATURES)})
            SELECT {FORMER_VERSION} FROM (SELECT OLD.*) AS former;
        END IF;
    END IF;
    {MARK}
    RETURN NULL;
END
""",
)

# The newest release is the active one: when it comes or goes, every score may be another model's.
RELEASED = Trigger(
    name="vigilpay_released",
    event="AFTER INSERT OR DELETE",
    table=RELEASES,
    level="STATEMENT",
    with_rights_of_owner=True,
    body=f"""
BEGIN
    IF TG_RELID <> '@schema@.{RELEASES}'::regclass THEN
        RAISE insufficient_privilege USING MESSAGE = 'permission denied: this function belongs to {RELEASES}';
    END IF;
    INSERT INTO @schema@.customers_stalemark (kind, ids) VALUES ({SWEEP}, ARRAY[0]);
    IF current_setting('vigilpay.notify', true) IS DISTINCT FROM 'off' THEN
        NOTIFY {STALE_CHANNEL};
    END IF;
    RETURN NULL;
END
""",
)

# Alerts come into being with the score that they tell of, or not at all: docs/decisions/0019-alerts.md.
ALERTED = Trigger(
    name="vigilpay_alerted",
    event="AFTER INSERT",
    table=RECORDS,
    level="STATEMENT",
    transition=f"\nREFERENCING NEW TABLE AS {STORED}",
    fires=ORIGIN,  # what is replicated was told of where it was stored
    body=BODY,
)

TRIGGERS = (ARRIVE, GUARD, STAMP, ARRIVED, EDITED, REPLICATED, RELEASED, ALERTED)

# The triggers write these with the rights of the customers' owner, whom row security may bind, too.
OPEN_TABLES = INSTALL.format(
    sql="".join(
        f"""
ALTER TABLE @schema@.{table} DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
GRANT SELECT, INSERT ON @schema@.{table} TO @owner@;"""
        for table in ("customers_stalemark", "customers_unscoredversion")
    )
)


def install_sql() -> list[str]:
    """All statements, in an order that works."""
    return [trigger.install_sql() for trigger in TRIGGERS]
