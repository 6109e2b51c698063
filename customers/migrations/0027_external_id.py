"""The customer's identifier in another system of the bank.

No table is rewritten, and no edit waits for the index. Locks are asked for with little patience, again and again; an
attempt that was cut short is simply repeated. Going back forgets the identifiers.
"""

from django.db import migrations, models
from django.db.models import Q

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

ADD_COLUMN = PATIENTLY.format("ALTER TABLE customers_customer ADD COLUMN IF NOT EXISTS external_id varchar(64)")
DROP_COLUMN = PATIENTLY.format("ALTER TABLE customers_customer DROP COLUMN IF EXISTS external_id")
# A build that was interrupted leaves an invalid index of that name behind.
ADD_INDEX = [
    "DROP INDEX CONCURRENTLY IF EXISTS customer_external_id",
    "CREATE UNIQUE INDEX CONCURRENTLY customer_external_id ON customers_customer (external_id) WHERE external_id > ''",
]
DROP_INDEX = "DROP INDEX CONCURRENTLY IF EXISTS customer_external_id"


class Migration(migrations.Migration):
    atomic = False  # for CONCURRENTLY

    dependencies = [("customers", "0026_names_in_files")]

    operations = [
        migrations.RunSQL(
            ADD_COLUMN,
            DROP_COLUMN,
            state_operations=[
                migrations.AddField(
                    "customer",
                    "external_id",
                    models.CharField(
                        blank=True,
                        help_text="The customer's identifier in another system of the bank. It must be unique.",
                        max_length=64,
                        null=True,
                        verbose_name="external ID",
                    ),
                )
            ],
        ),
        migrations.RunSQL(
            ADD_INDEX,
            DROP_INDEX,
            state_operations=[
                migrations.AddConstraint(
                    "customer",
                    models.UniqueConstraint(
                        condition=Q(external_id__gt=""),
                        fields=["external_id"],
                        name="customer_external_id",
                        violation_error_message="Another customer has this external ID.",
                    ),
                )
            ],
        ),
    ]
