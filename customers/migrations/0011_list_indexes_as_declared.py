"""The indexes of the admin's list, where an early commit's version of 0007 made others. Else this does nothing.

Concurrently: no edit waits. An attempt that was cut short is simply repeated.
"""

from django.db import migrations

# What the definitions of the right ones have, and those of early commits have not.
TELLS = {
    "customer_by_risk": "customer_id DESC, geography",
    "customer_by_main_reason": "churn_risk_score",
    "customer_many_products": "churn_risk_score",
}
NOT_THERE_ANY_MORE = ["customer_main_reason", "customer_risk"]
DEFINITION = "SELECT pg_get_indexdef(indexrelid) FROM pg_index WHERE indexrelid = to_regclass(%s) AND indisvalid"


def make_as_declared(apps, schema_editor):
    customer = apps.get_model("customers", "Customer")
    declared = {index.name: index for index in customer._meta.indexes}
    for name in TELLS.keys() & declared.keys():
        if TELLS[name] not in definition(schema_editor, name):
            drop(schema_editor, name)
            schema_editor.add_index(customer, declared[name], concurrently=True)
    for name in set(NOT_THERE_ANY_MORE) - declared.keys():
        drop(schema_editor, name)


def definition(schema_editor, name):
    with schema_editor.connection.cursor() as cursor:
        cursor.execute(DEFINITION, [name])
        found = cursor.fetchone()
    return found[0] if found else ""


def drop(schema_editor, name):
    schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {schema_editor.quote_name(name)}")


class Migration(migrations.Migration):
    atomic = False  # for CONCURRENTLY

    dependencies = [("customers", "0010_lives")]

    operations = [migrations.RunPython(make_as_declared, migrations.RunPython.noop)]
