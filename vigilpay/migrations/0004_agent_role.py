"""The group of the agents. What they may do is filled in after each ``migrate``: ``vigilpay/roles.py``."""

from django.db import migrations

NAME = "agent"


def make_groups(apps, schema_editor):
    """A group of that name that the bank has already is taken for that role's."""
    groups = apps.get_model("auth", "Group").objects.using(schema_editor.connection.alias)
    groups.get_or_create(name=NAME)


def remove_empty_groups(apps, schema_editor):
    """Staff lose nothing: a group that has members stays, with what it was given."""
    groups = apps.get_model("auth", "Group").objects.using(schema_editor.connection.alias)
    groups.filter(name=NAME, user__isnull=True).delete()


class Migration(migrations.Migration):
    dependencies = [("vigilpay", "0003_audit_trail"), ("auth", "0012_alter_user_first_name_max_length")]

    operations = [migrations.RunPython(make_groups, remove_empty_groups)]
