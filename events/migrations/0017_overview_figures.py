"""The overview counts value at risk, too, and the operator has a page of their own on the same figures."""

from django.db import migrations

# The figures are stored as JSON of another shape, in either direction: the next visit, or a worker, counts them anew.
FORGET_FIGURES = "DELETE FROM events_overview"


class Migration(migrations.Migration):
    dependencies = [("customers", "0021_outreach_permissions"), ("events", "0016_digest")]

    operations = [
        migrations.RunSQL(FORGET_FIGURES, FORGET_FIGURES),
        migrations.CreateModel(
            name="SystemStatus",
            fields=[],
            options={
                "verbose_name": "system status",
                "verbose_name_plural": "system status",
                "proxy": True,
                "default_permissions": ("view",),
                "indexes": [],
                "constraints": [],
            },
            bases=("events.overview",),
        ),
    ]
