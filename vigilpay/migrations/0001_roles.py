"""The groups of the roles. What they may do is filled in after each ``migrate``: ``vigilpay/roles.py``."""

from django.db import migrations

NAMES = ["viewer", "analyst", "operator"]


def make_groups(apps, schema_editor):
    """A group of that name that the bank has already is taken for that role's."""
    groups = apps.get_model("auth", "Group").objects.using(schema_editor.connection.alias)
    for name in NAMES:
        groups.get_or_create(name=name)


def remove_empty_groups(apps, schema_editor):
    """People lose nothing: a group that has members stays, with what it was given."""
    groups = apps.get_model("auth", "Group").objects.using(schema_editor.connection.alias)
    groups.filter(name__in=NAMES, user__isnull=True).delete()


class Migration(migrations.Migration):
    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
        ("customers", "0006_drift_and_outcomes"),
        ("events", "0007_reasons"),
    ]

    operations = [migrations.RunPython(make_groups, remove_empty_groups)]
