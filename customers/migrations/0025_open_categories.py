"""Countries and genders are words of the bank's own, balances may be negative, and a failure may name a word.

No table is rewritten: a longer varchar is a matter of the catalogue alone, and a new column has a constant default.
Constraints are added for new rows first and held against the others afterwards, when editors go on. An index with an
expression would be built anew while editors wait, so the one that holds the country is dropped before and built
concurrently afterwards: for these moments the list by value at risk reads all customers. Locks are asked for with
little patience, again and again; an attempt that was cut short is simply repeated. PostgreSQL changes no column that a
view uses: it is refused, before anything is changed, where one of the bank's does.

Going back takes the words and balances of then, and rewrites the tables: it is refused, before anything is changed,
where a customer has others.
"""

import django.db.models.functions.text
import django.db.models.lookups
from decimal import Decimal
from django.db import migrations, models

PATIENTLY = """DO $patiently$ BEGIN
    SET LOCAL lock_timeout = '500ms';
    FOR attempt IN 1..60 LOOP
        BEGIN
            {};
            RETURN;
        EXCEPTION WHEN lock_not_available OR deadlock_detected THEN
            PERFORM pg_sleep(0.5);
        END;
    END LOOP;
    RAISE lock_not_available USING MESSAGE = 'A table of the customers is in use: a transaction holds it for minutes. '
        'Nothing was changed; end that transaction, or migrate when no large edit is running.';
END $patiently$"""

COUNTRIES, GENDERS = ("France", "Germany", "Spain"), ("Female", "Male")
NO_CONTROL_CHARACTER = r"^[^\u0001-\u001f\u007f-\u009f]+$"
LARGEST = "9999999999999.99"

FIELDS = ("geography", "gender")
CHANGED = [*(f"customer_{name}_is_{what}" for name in FIELDS for what in ("known", "a_word"))]
CHANGED.append("customer_balance_is_possible")
DROP_CONSTRAINTS = ", ".join(f"DROP CONSTRAINT IF EXISTS {name}" for name in CHANGED)
WIDEN = ", ".join(f"ALTER COLUMN {name} TYPE varchar(60)" for name in FIELDS)
NARROW = "ALTER COLUMN geography TYPE varchar(10), ALTER COLUMN gender TYPE varchar(6)"

DROP_INDEX = "DROP INDEX CONCURRENTLY IF EXISTS customer_by_value"
CREATE_INDEX = """CREATE INDEX CONCURRENTLY customer_by_value ON customers_customer (
    value_at_risk DESC NULLS LAST, customer_id DESC, geography, num_of_products, is_active_member, has_cr_card,
    (reason_codes[1]), churn_risk_score)"""

OPEN = PATIENTLY.format(
    f"ALTER TABLE customers_customer {DROP_CONSTRAINTS}, {WIDEN}, "
    + ", ".join(
        f"ADD CONSTRAINT customer_{name}_is_a_word CHECK ({name} = btrim({name}) AND {name} ~ '{NO_CONTROL_CHARACTER}')"
        " NOT VALID"
        for name in FIELDS
    )
    + f", ADD CONSTRAINT customer_balance_is_possible CHECK (balance BETWEEN -{LARGEST} AND {LARGEST}) NOT VALID"
)
CLOSE = PATIENTLY.format(
    f"ALTER TABLE customers_customer {DROP_CONSTRAINTS}, {NARROW}, "
    f"ADD CONSTRAINT customer_geography_is_known CHECK (geography IN {COUNTRIES}), "
    f"ADD CONSTRAINT customer_gender_is_known CHECK (gender IN {GENDERS}), "
    f"ADD CONSTRAINT customer_balance_is_possible CHECK (balance BETWEEN 0 AND {LARGEST})"
)
VALIDATE = [
    f"ALTER TABLE customers_customer VALIDATE CONSTRAINT {name}"
    for name in (*(f"customer_{name}_is_a_word" for name in FIELDS), "customer_balance_is_possible")
]
HISTORY = ("customers_scorerecord", "customers_unscoredversion")

OTHERS = f"""SELECT
    (SELECT count(*) FROM customers_customer
     WHERE geography NOT IN {COUNTRIES} OR gender NOT IN {GENDERS} OR balance < 0),
    (SELECT count(*) FROM customers_scorerecord WHERE length(geography) > 10 OR length(gender) > 6)
        + (SELECT count(*) FROM customers_unscoredversion WHERE length(geography) > 10 OR length(gender) > 6)"""  # noqa: S608

# Views by their names, not by those of their rules, and whatever else would keep PostgreSQL from changing the type.
USERS = """SELECT DISTINCT CASE WHEN classid = 'pg_rewrite'::regclass AND relkind IN ('v', 'm')
    THEN pg_describe_object('pg_class'::regclass, ev_class, 0) ELSE pg_describe_object(classid, objid, 0) END
FROM pg_depend
JOIN pg_attribute ON attrelid = refobjid AND attnum = refobjsubid
LEFT JOIN pg_rewrite ON classid = 'pg_rewrite'::regclass AND pg_rewrite.oid = objid
LEFT JOIN pg_class ON pg_class.oid = ev_class
WHERE refclassid = 'pg_class'::regclass AND refobjid = ANY (%s::regclass[]) AND attname = ANY (%s)
    AND classid = ANY ('{pg_rewrite,pg_trigger,pg_policy,pg_proc,pg_publication_rel}'::regclass[])
ORDER BY 1"""


def refuse_where_others_use_them(apps, schema_editor):
    if schema_editor.collect_sql:
        return  # sqlmigrate changes nothing, and there may be no tables yet
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(USERS, [["customers_customer", *HISTORY], list(FIELDS)])
        users = [user for (user,) in cursor.fetchall()]
    if users:
        raise RuntimeError(
            f"Nothing was changed: {', '.join(users)} {'uses' if len(users) == 1 else 'use'} the columns geography or "
            "gender, and PostgreSQL cannot change them as long as that is there. Drop what is named here, migrate, and "
            "create it again."
        )


def refuse_to_lose_words(apps, schema_editor):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(OTHERS)
        customers, history = cursor.fetchone()
    if customers or history:
        raise RuntimeError(
            f"Nothing was changed: {customers:,} customers and {history:,} rows of their history have a country, a "
            "gender or a negative balance that the former version cannot hold. Change or delete them first."
        )


def constraint(name, condition):
    return migrations.AddConstraint("customer", models.CheckConstraint(condition=condition, name=name))


def is_word(name):
    trimmed = django.db.models.functions.text.Trim(name)
    return models.Q(django.db.models.lookups.Exact(models.F(name), trimmed)) & models.Q(
        **{f"{name}__regex": NO_CONTROL_CHARACTER}
    )


def word(model, name, *names, **options):
    return migrations.AlterField(model, name, models.CharField(*names, max_length=60, **options))


class Migration(migrations.Migration):
    atomic = False  # for CONCURRENTLY, and each step by itself

    # PostgreSQL changes no column that a trigger names: before 0012 ours did.
    dependencies = [("customers", "0024_more_terms"), ("events", "0020_more_terms")]

    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[
                migrations.RunPython(refuse_where_others_use_them, migrations.RunPython.noop),
                migrations.RunSQL(DROP_INDEX, migrations.RunSQL.noop),
                migrations.RunSQL(OPEN, CLOSE),
                *(
                    migrations.RunSQL(
                        PATIENTLY.format(f"ALTER TABLE {table} {WIDEN}"),
                        PATIENTLY.format(f"ALTER TABLE {table} {NARROW}"),
                    )
                    for table in HISTORY
                ),
                migrations.RunSQL(
                    PATIENTLY.format(
                        "ALTER TABLE customers_scoringfailure ADD COLUMN IF NOT EXISTS word varchar(80) NOT NULL "
                        "DEFAULT ''"
                    ),
                    [
                        "DELETE FROM customers_scoringfailure WHERE reason = 'word'",
                        PATIENTLY.format("ALTER TABLE customers_scoringfailure DROP COLUMN IF EXISTS word"),
                    ],
                ),
                migrations.RunSQL(VALIDATE, migrations.RunSQL.noop),
                migrations.RunSQL([DROP_INDEX, CREATE_INDEX], migrations.RunSQL.noop),
                migrations.RunPython(migrations.RunPython.noop, refuse_to_lose_words),
                migrations.RunPython(migrations.RunPython.noop, refuse_where_others_use_them),
            ],
            state_operations=[
                migrations.RemoveConstraint("customer", "customer_geography_is_known"),
                migrations.RemoveConstraint("customer", "customer_gender_is_known"),
                migrations.RemoveConstraint("customer", "customer_balance_is_possible"),
                word("customer", "geography", "country"),
                word("customer", "gender"),
                word("unscoredversion", "geography", "country"),
                word("unscoredversion", "gender"),
                word("scorerecord", "geography", "country", default="", db_default=""),
                word("scorerecord", "gender", default="", db_default=""),
                migrations.AddField(
                    "scoringfailure",
                    "word",
                    models.CharField(
                        max_length=80,
                        blank=True,
                        default="",
                        db_default="",
                        help_text="What the model does not know, such as country Italy.",
                    ),
                ),
                migrations.AlterField(
                    "scoringfailure",
                    "reason",
                    models.CharField(
                        choices=[
                            ("model", "No score could be calculated"),
                            ("word", "Country or gender not known to the model"),
                            ("person", "Excluded by staff"),
                        ],
                        db_default="model",
                        default="model",
                        max_length=9,
                    ),
                ),
                constraint("customer_geography_is_a_word", is_word("geography")),
                constraint("customer_gender_is_a_word", is_word("gender")),
                constraint(
                    "customer_balance_is_possible", models.Q(balance__range=(Decimal(f"-{LARGEST}"), Decimal(LARGEST)))
                ),
            ],
        ),
    ]
