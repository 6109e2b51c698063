"""The groups of agents and of approvers. What they may do is filled in after each ``migrate``: ``vigilpay/roles.py``."""

from django.db import migrations

NAMES = ["agent", "approver"]


def make_groups(apps, schema_editor):
    """A group of such a name that the bank has already is taken for that role's."""
    groups = apps.get_model("auth", "Group").objects.using(schema_editor.connection.alias)
    for name in NAMES:
        groups.get_or_create(name=name)


def remove_empty_groups(apps, schema_editor):
    """Staff lose nothing: a group that has members stays, with what it was given."""
    groups = apps.get_model("auth", "Group").objects.using(schema_editor.connection.alias)
    groups.filter(name__in=NAMES, user__isnull=True).delete()


class Migration(migrations.Migration):
    dependencies = [("vigilpay", "0003_audit_trail"), ("auth", "0012_alter_user_first_name_max_length")]

    operations = [migrations.RunPython(make_groups, remove_empty_groups)]
