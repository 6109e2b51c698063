"""What a trigger of the engine is made of, and how one is installed. ``definitions.py`` declares them all."""

from dataclasses import dataclass
from hashlib import sha256

from customers.ml_service.schema import FEATURES
from customers.scoring.marks import ARRAY_IDS, LARGE, LATER, LIVE, RESTING, SNAPSHOT_PAUSE
from events.triggers.channels import STALE_CHANNEL

CUSTOMERS = "customers_customer"
RELEASES = "customers_modelrelease"
RECORDS = "customers_scorerecord"
OURS = "^(zzz_)?vigilpay_"  # what the names of all triggers begin with, for PostgreSQL and Python alike

# A statement that edits so few customers is live: people wait for each of them. So are the statements of a young
# transaction, and as many small ones later; a loop over a portfolio is one large edit, however small its statements.
LIVE_ROWS = 8
LIVE_STATEMENTS = 8
YOUNG = "5 ms"

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
        rights = only_ours = ""
        if self.with_rights_of_owner:
            rights = f" SECURITY DEFINER SET {SAFE_PATH}"
            # Firing a trigger asks for no right to execute, but making one does: no other role can make one of this.
            only_ours = f"""
ALTER FUNCTION @schema@.{self.name}() OWNER TO @owner@;
REVOKE ALL ON FUNCTION @schema@.{self.name}() FROM PUBLIC;"""
        return f"""
CREATE OR REPLACE FUNCTION @schema@.{self.name}() RETURNS trigger
LANGUAGE plpgsql{rights}
AS $body${self.body}$body$;{only_ours}
CREATE OR REPLACE TRIGGER {self.definition()};
ALTER TABLE @schema@.{self.table} {ENABLE[self.fires]} TRIGGER {self.name};"""

    def definition(self) -> str:
        """When it fires and what it calls, as ``pg_get_triggerdef`` would say it but for spacing and casts."""
        return f"""{self.name}
{self.event} ON @schema@.{self.table}{self.transition}
FOR EACH {self.level}{self.condition}
EXECUTE FUNCTION @schema@.{self.name}()"""

    def fingerprint(self) -> str:
        """Changes with every change of the declaration."""
        return sha256(self.create_sql().encode()).hexdigest()


# The rights that make a role the scorer, or let it name editors: rights.py. Never those of every role, as default
# privileges may have it.
UPLOADS = "customers_importbatch"
TELLING = ((RECORDS, "INSERT"), (UPLOADS, "UPDATE"))

# The triggers write these, or read them, with the rights of the customers' owner, whom row security may bind, too.
WRITTEN = {
    "customers_stalemark": "INSERT",
    "customers_unscoredversion": "INSERT",
    "customers_departure": "INSERT",
    "customers_scorechange": "INSERT",
    "customers_contact": "UPDATE",
    "customers_worklistitem": "UPDATE",
    "customers_recentmove": "DELETE",
    "customers_shadowscore": "DELETE",
    "customers_shadowwait": "INSERT",
    "customers_shadowrun": "SELECT",
}
OPEN_TABLES = INSTALL.format(
    sql="".join(
        f"""
ALTER TABLE @schema@.{table} DISABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY;
GRANT SELECT, {privilege} ON @schema@.{table} TO @owner@;"""
        for table, privilege in WRITTEN.items()
    )
    + f"\nGRANT INSERT ON @schema@.{RECORDS} TO @owner@;"
    + "".join(f"\nREVOKE {privilege} ON @schema@.{table} FROM PUBLIC;" for table, privilege in TELLING)
)


# What the scorer alone may write; of a customer who has objected to being scored nothing of it may stand.
SCORE_COLUMNS = (
    "churn_risk_score",
    "value_at_risk",
    "scored_version",
    "scored_by_id",
    "scored_at",
    "contributions",
    "reason_codes",
)


def changed(columns: tuple[str, ...]) -> str:
    return "\n       OR ".join(f"OLD.{column} IS DISTINCT FROM NEW.{column}" for column in columns)


def keep_old(columns: tuple[str, ...]) -> str:
    return "\n".join(f"    NEW.{column} := OLD.{column};" for column in columns)


def clear(columns: tuple[str, ...]) -> str:
    return "\n".join(f"    NEW.{column} := NULL;" for column in columns)


# NOTIFY takes a database-wide lock at commit, so it is sent only while no worker holds the lease. The lease is read
# from a sequence, in milliseconds: a table would cost a query. It is valid from now to a minute ahead, see
# events/queue/lease.py. A transaction that is to be prepared must not notify at all.
NOTIFY_UNLESS_LEASED = f"""IF abs(pg_sequence_last_value('@schema@.events_awake'::regclass) - 30000
           - date_part('epoch', clock_timestamp()) * 1000) <= 30000 THEN
        NULL;
    ELSIF current_setting('vigilpay.notify', true) IS DISTINCT FROM 'off' THEN
        NOTIFY {STALE_CHANNEL};
    END IF;"""

# The bank may give its customers columns of any name: where one is that of a variable, the variable is meant.
OUR_NAMES = "#variable_conflict use_variable"


def of_table(table: str) -> str:
    """What runs with its owner's rights runs for our table alone, also where another role has made a trigger of it."""
    return f"""IF TG_RELID <> '@schema@.{table}'::regclass THEN
        RAISE insufficient_privilege USING MESSAGE = 'permission denied: this function belongs to {table}';
    END IF;"""


OF_CUSTOMERS = of_table(CUSTOMERS)

ONE_SNAPSHOT = "current_setting('transaction_isolation') IN ('repeatable read', 'serializable')"

# How soon the edited customers are to be scored. One dot for each statement of a transaction that is no longer young;
# noting it costs more than the first mark. A rollback to a savepoint takes the dot back with the mark itself, and
# whatever an editor sets there decides no more than whose turn it is.
MARKING = f"""kind_of_mark integer := {LIVE};
    due_at timestamptz := clock_timestamp();
    statements text;"""
DECIDE = f"""IF {ONE_SNAPSHOT} THEN
        kind_of_mark := {RESTING};
        due_at := due_at + {SNAPSHOT_PAUSE};
    ELSIF due_at > transaction_timestamp() + interval '{YOUNG}' THEN
        statements := current_setting('vigilpay.small_edits', true);
        IF length(statements) >= {LIVE_STATEMENTS} THEN
            kind_of_mark := {LATER};
        ELSE
            statements := set_config('vigilpay.small_edits', concat(statements, '.'), true);
        END IF;
    END IF;"""


# Most statements write one row, and nothing comes between it and the stamp: for those anything more would be a third of
# the price of all triggers.
def mark_the_one(condition: str = "") -> str:
    return f"""INSERT INTO @schema@.customers_stalemark (kind, due_at, ids)
    SELECT kind_of_mark, due_at, ARRAY[customer_id] FROM changed
    WHERE stale_since = statement_timestamp() AND edited_at IS DISTINCT FROM stale_since{condition}
        AND NOT EXISTS (SELECT FROM changed OFFSET 1);
    IF FOUND THEN
        {NOTIFY_UNLESS_LEASED}
        RETURN NULL;
    END IF;"""


MARK = f"""IF cardinality(ids) > {LIVE_ROWS} THEN
        INSERT INTO @schema@.customers_stalemark (kind, due_at, ids)
        SELECT CASE kind_of_mark WHEN {RESTING} THEN {RESTING} ELSE {LARGE} END, due_at,
            ids[first : first + {ARRAY_IDS - 1}]
        FROM generate_series(1, cardinality(ids), {ARRAY_IDS}) AS first;
    ELSE
        INSERT INTO @schema@.customers_stalemark (kind, due_at, ids)
        SELECT kind_of_mark, due_at, ARRAY[edited] FROM unnest(ids) AS edited;
    END IF;
    {NOTIFY_UNLESS_LEASED}"""

# For what comes behind RIGHTS in rights.py. Cut to length: no edit may fail for a long name.
EDITOR = "left(COALESCE(NULLIF(current_setting('vigilpay.editor', true), ''), 'sql:' || session_user), 80)"

# Rows that a trigger of the bank's has changed behind ours: stale from now on, by the scorer's right. This UPDATE fires
# that trigger once more, with the rights of the owner: in the search path that the owner has, not in the editor's.
MEND = f"""IF missed IS NOT NULL THEN
        scorer := COALESCE(current_setting('vigilpay.scorer', true), '');
        PERFORM set_config('vigilpay.scorer', 'on', true), set_config('search_path', COALESCE((
            SELECT substr(setting, 13) FROM pg_db_role_setting, unnest(setconfig) AS setting
            WHERE setting LIKE 'search_path=%'
                AND setrole IN (0, (SELECT oid FROM pg_roles WHERE rolname = current_user))
                AND setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
            ORDER BY setrole DESC, setdatabase DESC LIMIT 1), '"$user", public'), true);
        UPDATE @schema@.{CUSTOMERS} SET version = version + 1, edited_by = {EDITOR}, edited_at =
            CASE WHEN COALESCE(stale_since, objected_at) IS NULL THEN edited_at ELSE statement_timestamp() END,
            stale_since = CASE WHEN objected_at IS NULL THEN COALESCE(stale_since, statement_timestamp()) END
        WHERE customer_id = ANY (missed);
        PERFORM set_config('vigilpay.scorer', scorer, true), set_config('search_path', 'pg_catalog, pg_temp', true);
    END IF;"""

VERSION = f"customer_id, arrived_at, version, stale_since, edited_at, objected_at, edited_by, {', '.join(FEATURES)}"
