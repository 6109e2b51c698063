"""What staff may do with contacts and worklists, and the index of the newest contacts."""

from django.contrib.postgres.indexes import BrinIndex
from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations


class AddIndex(AddIndexConcurrently):
    """A build that was interrupted leaves an invalid index of that name behind, which costs and serves no query."""

    def database_forwards(self, app_label, schema_editor, from_state, to_state):
        schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {schema_editor.quote_name(self.index.name)}")
        super().database_forwards(app_label, schema_editor, from_state, to_state)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("customers", "0020_portfoliosnapshot")]

    operations = [
        migrations.AlterModelOptions(
            name="contact", options={"default_permissions": ("add", "view"), "ordering": ["-id"]}
        ),
        migrations.AlterModelOptions(
            name="worklistitem",
            options={
                "default_permissions": (),
                "ordering": ["-id"],
                "permissions": [("work_worklist", "Can work through a worklist of customers")],
                "verbose_name_plural": "worklist",
            },
        ),
        migrations.AlterModelOptions(name="controlgroup", options={"default_permissions": ()}),
        AddIndex("contact", BrinIndex(fields=["at"], name="contact_time", pages_per_range=16)),
    ]
