"""The triggers on the customer table: what PostgreSQL itself does at every edit, whoever makes it.

Declared here, installed by ``events/migrations`` and by ``manage.py install_triggers``, compared with what is really
installed by ``events/checks.py``. Three of them touch single rows and contain no query, so that an edit pays next to
nothing; docs/decisions/0007-triggers.md has the measurements.
"""

from dataclasses import dataclass
from hashlib import sha256

from customers.ml_service.schema import FEATURES
from events.channels import STALE_CHANNEL

TABLE = "customers_customer"

# What the scorer alone may write, and what the triggers below own.
ENGINE_COLUMNS = ("version", "stale_since", "churn_risk_score", "scored_version", "scored_by_id", "scored_at")


@dataclass(frozen=True)
class Trigger:
    """One trigger and the function that only it calls, under one name."""

    name: str
    event: str
    body: str
    level: str = "ROW"
    condition: str = ""
    settings: str = ""

    def install_sql(self) -> str:
        """Create or replace function and trigger, and note what was declared where the check can read it."""
        return f"""{self.create_sql()}
COMMENT ON TRIGGER {self.name} ON {TABLE} IS '{self.fingerprint()}';"""

    def create_sql(self) -> str:
        return f"""CREATE OR REPLACE FUNCTION {self.name}() RETURNS trigger
LANGUAGE plpgsql{self.settings}
AS $body${self.body}$body$;
CREATE OR REPLACE TRIGGER {self.definition()};"""

    def definition(self) -> str:
        """When it fires and what it calls, as ``pg_get_triggerdef`` would say it but for spacing and casts."""
        return f"""{self.name}
{self.event} ON {TABLE}
FOR EACH {self.level}{self.condition}
EXECUTE FUNCTION {self.name}()"""

    def uninstall_sql(self) -> str:
        return f"DROP TRIGGER IF EXISTS {self.name} ON {TABLE}; DROP FUNCTION IF EXISTS {self.name}();"

    def fingerprint(self) -> str:
        """Changes with every change of the declaration."""
        return sha256(self.create_sql().encode()).hexdigest()


def _changed(columns: tuple[str, ...]) -> str:
    # Not one comparison of two ROWs: PostgreSQL would parse that again for every statement.
    return "\n   OR ".join(f"OLD.{column} IS DISTINCT FROM NEW.{column}" for column in columns)


def _keep_old(columns: tuple[str, ...]) -> str:
    return "\n".join(f"    NEW.{column} := OLD.{column};" for column in columns)


# A new row is stale, whatever the INSERT says of the engine's columns; an old backup's scores are recomputed.
ARRIVE = Trigger(
    name="vigilpay_0_arrive",
    event="BEFORE INSERT",
    body="""
BEGIN
    NEW.version := 1;
    NEW.stale_since := statement_timestamp();
    NEW.churn_risk_score := NULL;
    NEW.scored_version := NULL;
    NEW.scored_by_id := NULL;
    NEW.scored_at := NULL;
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

STAMP = Trigger(
    name="vigilpay_2_stamp",
    event=f"BEFORE UPDATE OF {', '.join(FEATURES)}",
    condition=f"\nWHEN ({_changed(FEATURES)})",
    body="""
BEGIN
    NEW.version := OLD.version + 1;
    NEW.stale_since := COALESCE(OLD.stale_since, statement_timestamp());
    RETURN NEW;
END
""",
)

# NOTIFY takes a database-wide lock at commit, so it is sent once per statement and only while nobody has promised to
# look anyway. Reads one row, writes none, waits for nobody.
KNOCK = Trigger(
    name="vigilpay_3_knock",
    event=f"AFTER INSERT OR UPDATE OF {', '.join(FEATURES)}",
    level="STATEMENT",
    settings=" SET search_path FROM CURRENT",  # an editor's own search_path may not see the engine's table
    body=f"""
BEGIN
    IF NOT EXISTS (SELECT FROM events_watch WHERE awake_until > clock_timestamp()) THEN
        NOTIFY {STALE_CHANNEL};
    END IF;
    RETURN NULL;
END
""",
)

TRIGGERS = (ARRIVE, GUARD, STAMP, KNOCK)

# The knock trigger reads with the rights of whoever edits: a role that may write customers and nothing else would see
# its edit fail. There is nothing to hide in that table. (SECURITY DEFINER would lend more than one look.)
LET_EDITORS_LOOK = "GRANT SELECT ON events_watch TO PUBLIC;"
