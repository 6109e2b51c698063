"""What the arrays of a release hold, beside its fingerprint. A constant default is no rewrite, and releases of former
versions keep their fingerprint: no score becomes stale."""

from django.db import migrations, models

PATIENCE = "SET LOCAL lock_timeout = '10s'"


class Migration(migrations.Migration):
    dependencies = [("customers", "0013_help_texts")]

    operations = [
        migrations.RunSQL(PATIENCE, migrations.RunSQL.noop),
        migrations.AddField(
            "modelrelease",
            "arrays_sha256",
            models.CharField(
                blank=True,
                db_default="",
                default="",
                help_text="Checksum of what the compiled forest holds; empty: not known yet.",
                max_length=64,
            ),
        ),
        migrations.RunSQL(migrations.RunSQL.noop, PATIENCE),
    ]
