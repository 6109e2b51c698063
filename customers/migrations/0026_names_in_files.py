"""What the bank calls columns and words in its files, and which customer ID an import has given last. New tables."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("customers", "0025_open_categories")]

    operations = [
        migrations.CreateModel(
            name="ColumnMapping",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("name", models.CharField(max_length=60, unique=True)),
                (
                    "columns",
                    models.TextField(
                        help_text="Enter one column per line as column name=field, for example Kontostand=balance."
                    ),
                ),
                ("changed_at", models.DateTimeField(auto_now=True)),
            ],
            options={"ordering": ["name"]},
        ),
        migrations.CreateModel(
            name="CategoryAlias",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                (
                    "field",
                    models.CharField(
                        choices=[("geography", "Country"), ("gender", "Gender")], default="geography", max_length=9
                    ),
                ),
                (
                    "written",
                    models.CharField(
                        help_text="Upper and lower case are treated alike.", max_length=60, verbose_name="word in files"
                    ),
                ),
                ("meant", models.CharField(max_length=60, verbose_name="stored as")),
            ],
            options={
                "verbose_name": "category alias",
                "verbose_name_plural": "category aliases",
                "ordering": ["field", "written"],
                "constraints": [models.UniqueConstraint(fields=("field", "written"), name="category_alias_once")],
            },
        ),
        migrations.CreateModel(
            name="LastGivenId",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("value", models.BigIntegerField()),
            ],
            options={
                "default_permissions": (),
                "constraints": [models.CheckConstraint(condition=models.Q(("id", 1)), name="last_given_id_is_one")],
            },
        ),
        migrations.AddField(
            model_name="importbatch",
            name="conventions",
            field=models.JSONField(
                editable=False,
                help_text="Names of columns, from the upload on, and words, as the check knew them.",
                null=True,
            ),
        ),
    ]
