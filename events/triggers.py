"""The triggers of the engine: what PostgreSQL itself does at every edit, whoever makes it.

Declared here, installed by ``events/migrations`` and by ``manage.py install_triggers``, compared with what is really
installed by ``events/checks.py``. What an edit pays for them, and what was tried instead, is in
docs/decisions/0007-triggers.md and 0012-stale-marks.md.
"""

from dataclasses import dataclass
from hashlib import sha256

from customers.marks import LIVE, OUTDATED, REGION
from customers.ml_service.schema import FEATURES
from events import lives
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

# So many customers of a transaction are marked by their id: people are waiting for them. Then come regions, first of
# 2^10 ids and growing fourfold with every 64 of them, so that no transaction leaves more than some hundred marks.
LIVE_MARKS = 8
REGION_BITS = 10
REGIONS_OF_A_SIZE = 64

# An editor's own search_path may not see the engine's tables, so every name is written with its schema, as extensions
# of PostgreSQL do it; the name is filled in where the SQL is installed.
SCHEMA = "@schema@"
INSTALL = (
    "DO $install$ BEGIN EXECUTE replace($sql${sql}$sql$, '@schema@', quote_ident(current_schema())); END $install$;"
)
# Of a function that runs with its owner's rights: nobody can put an operator of his own in front of PostgreSQL's.
SAFE_PATH = "search_path=pg_catalog, pg_temp"


@dataclass(frozen=True)
class Function:
    """A function that triggers call."""

    name: str
    arguments: str
    body: str
    returns: str = "void"
    with_rights_of_owner: bool = False

    def install_sql(self) -> str:
        return INSTALL.format(sql=self.create_sql())

    def create_sql(self) -> str:
        rights = f" SECURITY DEFINER SET {SAFE_PATH}" if self.with_rights_of_owner else ""
        return f"""
CREATE OR REPLACE FUNCTION @schema@.{self.name}({self.arguments}) RETURNS {self.returns}
LANGUAGE plpgsql{rights}
AS $body${self.body}$body$;"""

    def uninstall_sql(self) -> str:
        return f"DROP FUNCTION IF EXISTS {self.name};"


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
    with_rights_of_owner: bool = False

    def install_sql(self) -> str:
        """Create or replace function and trigger, and note what was declared where the check can read it."""
        comment = f"COMMENT ON TRIGGER {self.name} ON @schema@.{self.table} IS '{self.fingerprint()}';"
        return INSTALL.format(sql=f"{self.create_sql()}\n{comment}")

    def create_sql(self) -> str:
        function = Function(self.name, "", self.body, "trigger", self.with_rights_of_owner)
        return f"{function.create_sql()}\nCREATE OR REPLACE TRIGGER {self.definition()};"

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


# NOTIFY takes a database-wide lock at commit, so it is sent only while nobody has promised to look anyway. The promise
# is read from a sequence, in milliseconds: a table would cost a query. It holds from now to a minute ahead, see
# events/watch.py.
KNOCK = f"""IF abs(pg_sequence_last_value('@schema@.events_awake'::regclass) - 30000
           - date_part('epoch', clock_timestamp()) * 1000) <= 30000 THEN
        NULL;
    ELSE
        NOTIFY {STALE_CHANNEL};
    END IF;"""

# The transaction remembers its last mark (width in bits, place, number of marks so far) in a setting of its own, which
# a rollback to a savepoint takes back with the mark itself.
MARK = Function(
    name="vigilpay_mark",
    arguments="edited bigint, marks integer",
    body=f"""
DECLARE
    bits integer := CASE WHEN marks <= {LIVE_MARKS} THEN 0
        ELSE LEAST({REGION_BITS} + 2 * ((marks - {LIVE_MARKS + 1}) / {REGIONS_OF_A_SIZE}), 63) END;
BEGIN
    INSERT INTO @schema@.customers_stalemark (id, first_id, last_id) VALUES (
        nextval('@schema@.customers_stalemark_id_seq') + CASE WHEN bits = 0 THEN {LIVE} ELSE {REGION} END,
        (edited >> bits) << bits, ((edited >> bits) << bits) | ({2**63 - 1} >> (63 - bits)));
    PERFORM set_config('vigilpay.marked', bits || ' ' || (edited >> bits) || ' ' || marks, true);
    {KNOCK}
END
""",
)

# The first mark of a transaction is written out here, once more: for a single edit, a call would be a tenth of the
# price of all triggers.
MARK_NEW = f"""IF current_setting('vigilpay.marked', true) <> '' THEN
        marked := current_setting('vigilpay.marked', true);
        IF NEW.customer_id >> split_part(marked, ' ', 1)::int <> split_part(marked, ' ', 2)::bigint THEN
            PERFORM @schema@.vigilpay_mark(NEW.customer_id, split_part(marked, ' ', 3)::int + 1);
        END IF;
        RETURN NEW;
    END IF;
    INSERT INTO @schema@.customers_stalemark (id, first_id, last_id)
    VALUES (nextval('@schema@.customers_stalemark_id_seq'), NEW.customer_id, NEW.customer_id);
    marked := set_config('vigilpay.marked', '0 ' || NEW.customer_id || ' 1', true);
    {KNOCK}"""

# Cut to length: nobody's edit may fail for a long name.
EDITOR = "left(COALESCE(NULLIF(current_setting('vigilpay.editor', true), ''), 'sql:' || session_user), 80)"

# With the rights of the owner: who may write customers need not be able to write history. Called by the stamp and not a
# trigger of its own, whose condition every edit would pay for; by hand it can't be called.
KEEP_UNSCORED = Function(
    name="vigilpay_keep_unscored",
    arguments=f"former @schema@.{CUSTOMERS}",
    with_rights_of_owner=True,
    body=f"""
BEGIN
    IF pg_trigger_depth() = 0 THEN
        RAISE insufficient_privilege USING MESSAGE = 'permission denied: history is written by the trigger alone';
    END IF;
    {lives.keep("former")}
END
""",
)

# A new row is stale, whatever the INSERT says of the engine's columns; an old backup's scores are recomputed.
ARRIVE = Trigger(
    name="vigilpay_0_arrive",
    event="BEFORE INSERT",
    body=f"""
DECLARE
    marked text;
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
    {MARK_NEW}
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
# A changed id counts as an edit, since marks and history go by it.
STAMP = Trigger(
    name="vigilpay_2_stamp",
    event=f"BEFORE UPDATE OF customer_id, {', '.join(FEATURES)}",
    body=f"""
DECLARE
    marked text;
BEGIN
    IF NOT ({_changed(("customer_id", *FEATURES))}) THEN
        RETURN NEW;
    END IF;
    IF OLD.stale_since IS NULL THEN
        NEW.stale_since := statement_timestamp();
    ELSE
        NEW.edited_at := statement_timestamp();
        PERFORM @schema@.vigilpay_keep_unscored(OLD);
    END IF;
    NEW.version := OLD.version + 1;
    NEW.edited_by := {EDITOR};
    {MARK_NEW}
    RETURN NEW;
END
""",
)

LIFE = Trigger("vigilpay_3_life", "BEFORE INSERT OR UPDATE OF customer_id, arrived_at", lives.BEGIN_LIFE)
LEAVE = Trigger(
    "vigilpay_leave",
    "AFTER DELETE",
    lives.END_LIVES,
    level="STATEMENT",
    transition=f"\nREFERENCING OLD TABLE AS {lives.GONE}",
    with_rights_of_owner=True,
)
LEAVE_ALL = Trigger(
    "vigilpay_leave_all", "BEFORE TRUNCATE", lives.END_ALL_LIVES, level="STATEMENT", with_rights_of_owner=True
)

# The newest release is the active one: when it comes or goes, every score may be another model's.
RELEASED = Trigger(
    name="vigilpay_released",
    event="AFTER INSERT OR DELETE",
    table=RELEASES,
    level="STATEMENT",
    body=f"""
BEGIN
    INSERT INTO @schema@.customers_stalemark (id, first_id, last_id)
    VALUES (nextval('@schema@.customers_stalemark_id_seq') + {OUTDATED}, 1, {2**63 - 1});
    NOTIFY {STALE_CHANNEL};
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
    body=BODY,
)

# What the names of all of them begin with.
OURS = "vigilpay_"

FUNCTIONS = (MARK, KEEP_UNSCORED)
TRIGGERS = (ARRIVE, GUARD, STAMP, LIFE, LEAVE, LEAVE_ALL, RELEASED, ALERTED)

# The triggers read and mark with the rights of whoever edits: a role that may write customers and nothing else would
# see its edit fail. There is nothing to hide.
LET_EDITORS_LOOK = """
GRANT SELECT ON events_watch, events_awake TO PUBLIC;
GRANT INSERT ON customers_stalemark TO PUBLIC;
GRANT USAGE ON SEQUENCE customers_stalemark_id_seq TO PUBLIC;
"""


def install_sql() -> list[str]:
    """All statements, in an order that works."""
    return [*(function.install_sql() for function in FUNCTIONS), *(trigger.install_sql() for trigger in TRIGGERS)]
