"""Whoever may write customers reads events_watch in the knock trigger, with no rights but their own."""

from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("events", "0002_triggers")]
    operations = [
        migrations.RunSQL(
            "GRANT SELECT ON events_watch TO PUBLIC;",
            "REVOKE SELECT ON events_watch FROM PUBLIC;",
        )
    ]
