"""The tokens of programs: a new table, so that nothing waits for it."""

import django.contrib.postgres.fields
import django.db.models.functions.datetime
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("vigilpay", "0001_roles")]

    operations = [
        migrations.CreateModel(
            name="ServiceToken",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "name",
                    models.CharField(
                        help_text="Which program uses it, such as: nightly campaign export.", max_length=100
                    ),
                ),
                (
                    "digest",
                    models.CharField(
                        editable=False, help_text="SHA-256 of the secret, in hex.", max_length=64, unique=True
                    ),
                ),
                (
                    "scopes",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(
                            choices=[
                                ("read", "read: customers, their scores and reasons"),
                                ("score", "score: have customers scored"),
                                ("import", "import: change customers"),
                                ("operate", "operate: freshness and figures of the engine"),
                            ],
                            max_length=10,
                        ),
                        help_text="What the program may do.",
                        size=None,
                    ),
                ),
                (
                    "created_at",
                    models.DateTimeField(db_default=django.db.models.functions.datetime.Now(), editable=False),
                ),
                ("created_by", models.CharField(editable=False, help_text="The user, or the command.", max_length=150)),
                ("expires_at", models.DateTimeField(help_text="From then on it is refused.")),
                ("last_used_at", models.DateTimeField(editable=False, help_text="To the minute.", null=True)),
                ("revoked_at", models.DateTimeField(editable=False, null=True)),
            ],
            options={
                "ordering": ["-id"],
                "default_permissions": ("add", "change", "view"),
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("scopes__contained_by", ["read", "score", "import", "operate"]), ("scopes__len__gte", 1)
                        ),
                        name="servicetoken_scopes_are_known",
                    )
                ],
            },
        ),
    ]
