"""Which role may use the settings by which the triggers know the scorer, and the users who edit through VigilPay.

Every role may set ``vigilpay.scorer`` and ``vigilpay.editor``. They count for a role that PostgreSQL lets do what only
VigilPay does: append to the history of scores, or bring an upload on its way. It must be a right on a table: without
grants, as after ``pg_restore --no-acl``, no role has it, while every role may execute a function then. The owner of the
tables and superusers have both. docs/decisions/0032-only-the-scorer-writes-scores.md

The functions of row triggers run in the editor's own search path, where functions and operators of the editor's may
stand in front of PostgreSQL's. So whatever decides about a right has its schema written out.
"""

from events.triggers.sql import ORIGIN, RECORDS, TELLING, Trigger, changed


def has_right(table: str, privilege: str) -> str:
    return f"pg_catalog.has_table_privilege('@schema@.{table}'::pg_catalog.regclass, '{privilege}')"


STORES_SCORES, NAMES_EDITORS = (has_right(table, privilege) for table, privilege in TELLING)

SAYS_IT_IS_THE_SCORER = "pg_catalog.current_setting('vigilpay.scorer', true) OPERATOR(pg_catalog.=) 'on'"
NAMES_AN_EDITOR = "pg_catalog.current_setting('vigilpay.editor', true) OPERATOR(pg_catalog.<>) ''"

# In a condition of a trigger names are looked up once, by the role that installs it.
NOT_THE_SCORER = f"""(current_setting('vigilpay.scorer', true) IS DISTINCT FROM 'on'
OR NOT has_table_privilege('@schema@.{RECORDS}'::regclass, 'INSERT'))"""

# As the scorer's statement has it: customers/scoring/writing.py.
VALUE_AT_RISK = """pg_catalog.round(
                        GREATEST(NEW.balance, 0) OPERATOR(pg_catalog.*) NEW.churn_risk_score::pg_catalog.numeric, 2)"""

# One IF in the other: PostgreSQL reads an expression when it first comes to it. A role that edits through a view need
# not be able to use the schema of our tables, and an editor who sets nothing pays for no look at rights.
# A score for a customer who has objected meanwhile is not stored: the CHECK would fail the whole batch. A score that
# comes without a value at risk, as workers of former code store it during an upgrade, gets the one that belongs to it.
RETURN_IF_SCORER = f"""IF {SAYS_IT_IS_THE_SCORER} THEN
            IF {STORES_SCORES} THEN
                IF NEW.objected_at IS NOT NULL AND NEW.churn_risk_score IS NOT NULL THEN
                    RETURN NULL;
                END IF;
                IF NEW.value_at_risk IS NOT DISTINCT FROM OLD.value_at_risk
                        AND ({changed(("churn_risk_score", "scored_at"))}) THEN
                    NEW.value_at_risk := {VALUE_AT_RISK};
                END IF;
                RETURN NEW;
            END IF;
        END IF;"""

# Cut to length: no edit may fail for a long name.
NOTE_THE_EDITOR = f"""NEW.edited_by := pg_catalog.left(pg_catalog.concat('sql:', session_user), 80);
    IF {NAMES_AN_EDITOR} THEN
        IF {NAMES_EDITORS} THEN
            NEW.edited_by := pg_catalog.left(pg_catalog.current_setting('vigilpay.editor', true), 80);
        END IF;
    END IF;"""

# The triggers behind this one run with the owner's rights and can't tell whose statement it was: they go by the
# settings. A row trigger would be too early, for a statement can set them as late as in its RETURNING.
RIGHTS = Trigger(
    name="vigilpay_2_rights",
    event="AFTER INSERT OR UPDATE",
    level="STATEMENT",
    fires=ORIGIN,
    body=f"""
BEGIN
    IF {SAYS_IT_IS_THE_SCORER} THEN
        IF NOT {STORES_SCORES} THEN
            PERFORM pg_catalog.set_config('vigilpay.scorer', 'off', true);
        END IF;
    END IF;
    IF {NAMES_AN_EDITOR} THEN
        IF NOT {NAMES_EDITORS} THEN
            PERFORM pg_catalog.set_config('vigilpay.editor', '', true);
        END IF;
    END IF;
    RETURN NULL;
END
""",
)
