"""Models in the database, and who proposed and approved a release. The table of releases has a few rows: its constraints
are checked in an instant, and releases of former versions satisfy them.
"""

import django.db.models.deletion
import django.db.models.functions.datetime
import django.db.models.functions.text
import django.db.models.lookups
from django.db import migrations, models

PATIENCE = "SET LOCAL lock_timeout = '10s'"
# What is compressed already is not compressed once more.
EXTERNAL = """
ALTER TABLE customers_modelfile ALTER COLUMN source SET STORAGE EXTERNAL, ALTER COLUMN arrays SET STORAGE EXTERNAL
"""


class Migration(migrations.Migration):
    dependencies = [
        ("customers", "0022_terms"),
    ]

    operations = [
        migrations.RunSQL(PATIENCE, migrations.RunSQL.noop),
        migrations.CreateModel(
            name="ModelFile",
            fields=[
                ("fingerprint", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("sha256", models.CharField(max_length=64)),
                ("arrays_sha256", models.CharField(max_length=64)),
                ("source", models.BinaryField()),
                ("arrays", models.BinaryField()),
                ("metadata", models.JSONField(default=dict)),
                ("stored_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
            ],
            options={
                "default_permissions": (),
            },
        ),
        migrations.CreateModel(
            name="ModelProposal",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "kind",
                    models.CharField(
                        choices=[("release", "Release"), ("rollback", "Rollback")], default="release", max_length=8
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[("open", "Waiting for approval"), ("approved", "Approved"), ("refused", "Refused")],
                        default="open",
                        max_length=8,
                    ),
                ),
                ("sha256", models.CharField(max_length=64, verbose_name="checksum of the model file")),
                ("fingerprint", models.CharField(max_length=64)),
                ("arrays_sha256", models.CharField(max_length=64)),
                ("metadata", models.JSONField(blank=True, default=dict)),
                ("note", models.CharField(blank=True, default="", max_length=500)),
                ("findings", models.JSONField(blank=True, default=list, verbose_name="verified")),
                ("shift", models.JSONField(blank=True, null=True, verbose_name="change of churn risks")),
                ("proposed_by", models.CharField(max_length=150)),
                ("proposed_at", models.DateTimeField(db_default=django.db.models.functions.datetime.Now())),
                ("decided_by", models.CharField(blank=True, max_length=150, null=True)),
                ("decided_at", models.DateTimeField(blank=True, null=True)),
                ("reason", models.CharField(blank=True, default="", max_length=500)),
            ],
            options={
                "ordering": ["-id"],
                "default_permissions": ("view",),
            },
        ),
        migrations.AlterModelOptions(
            name="modelrelease",
            options={
                "ordering": ["-id"],
                "permissions": [("approve_modelrelease", "Can approve or refuse a proposed model")],
            },
        ),
        migrations.AddField(
            model_name="modelrelease",
            name="approval",
            field=models.CharField(
                blank=True,
                choices=[
                    ("", "Released by a version without approvals"),
                    ("first", "First model of this database"),
                    ("one person", "One person"),
                    ("two persons", "Proposed by one person, approved by another"),
                    ("rollback", "Rollback by one person"),
                ],
                db_default="",
                default="",
                max_length=11,
            ),
        ),
        migrations.AddField(
            model_name="modelrelease",
            name="approved_by",
            field=models.CharField(blank=True, max_length=150, null=True),
        ),
        migrations.AddField(
            model_name="modelrelease",
            name="proposed_by",
            field=models.CharField(blank=True, max_length=150, null=True),
        ),
        migrations.AddConstraint(
            model_name="modelrelease",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("approval", "two persons"), _negated=True),
                    models.Q(
                        ("approved_by__isnull", False),
                        ("proposed_by__isnull", False),
                        models.Q(
                            django.db.models.lookups.Exact(
                                django.db.models.functions.text.Lower("proposed_by"),
                                django.db.models.functions.text.Lower("approved_by"),
                            ),
                            _negated=True,
                        ),
                    ),
                    _connector="OR",
                ),
                name="release_by_two_persons_names_both",
            ),
        ),
        migrations.AddConstraint(
            model_name="modelrelease",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("approval", "rollback"), _negated=True), ("proposed_by__isnull", False), _connector="OR"
                ),
                name="rollback_names_who_made_it",
            ),
        ),
        migrations.AddField(
            model_name="modelproposal",
            name="release",
            field=models.ForeignKey(
                blank=True,
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="proposals",
                to="customers.modelrelease",
            ),
        ),
        migrations.AddConstraint(
            model_name="modelproposal",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("decided_at__isnull", True), ("decided_by__isnull", True), ("state", "open")),
                    models.Q(
                        ("decided_at__isnull", False),
                        ("decided_by__isnull", False),
                        ("state__in", ("approved", "refused")),
                    ),
                    _connector="OR",
                ),
                name="proposal_names_who_decided",
            ),
        ),
        migrations.AddConstraint(
            model_name="modelproposal",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("state", "approved"), _negated=True),
                    models.Q(
                        ("decided_by__isnull", False),
                        ("proposed_by__isnull", False),
                        models.Q(
                            django.db.models.lookups.Exact(
                                django.db.models.functions.text.Lower("proposed_by"),
                                django.db.models.functions.text.Lower("decided_by"),
                            ),
                            _negated=True,
                        ),
                    ),
                    _connector="OR",
                ),
                name="proposal_is_approved_by_another",
            ),
        ),
        migrations.AddConstraint(
            model_name="modelproposal",
            constraint=models.CheckConstraint(
                condition=models.Q(("proposed_by", ""), _negated=True), name="proposal_names_who_proposed"
            ),
        ),
        migrations.AddConstraint(
            model_name="modelproposal",
            constraint=models.UniqueConstraint(
                condition=models.Q(("kind", "release"), ("state", "open")),
                fields=("fingerprint",),
                name="proposal_open_once",
            ),
        ),
        migrations.RunSQL(EXTERNAL, migrations.RunSQL.noop),
        migrations.RunSQL(migrations.RunSQL.noop, PATIENCE),
    ]
