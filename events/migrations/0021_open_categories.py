"""The country of an alert rule is a word of the bank's own. The table is small: no edit waits for it."""

import django.db.models.functions.text
import django.db.models.lookups
from django.db import migrations, models

NO_CONTROL_CHARACTER = r"^[^\u0001-\u001f\u007f-\u009f]+$"
COUNTRIES = ["", "France", "Germany", "Spain"]


def refuse_to_lose_words(apps, schema_editor):
    rules = apps.get_model("events", "AlertRule").objects
    others = rules.exclude(geography__in=COUNTRIES) | rules.filter(num_of_products__gt=10)
    if names := ", ".join(others.values_list("name", flat=True)):
        raise RuntimeError(
            f"Nothing was changed: the former version cannot hold the country, or the products, of these alert rules: {names}."
        )


class Migration(migrations.Migration):
    dependencies = [("events", "0020_more_terms"), ("customers", "0025_open_categories")]

    operations = [
        migrations.RemoveConstraint("alertrule", "alert_rule_country_is_known"),
        migrations.AlterField(
            "alertrule",
            "geography",
            models.CharField("country", blank=True, default="", max_length=60),
        ),
        migrations.AddConstraint(
            "alertrule",
            models.CheckConstraint(
                condition=models.Q(geography="")
                | models.Q(
                    django.db.models.lookups.Exact(
                        models.F("geography"), django.db.models.functions.text.Trim("geography")
                    ),
                )
                & models.Q(geography__regex=NO_CONTROL_CHARACTER),
                name="alert_rule_country_is_a_word",
            ),
        ),
        migrations.RemoveConstraint("alertrule", "alert_rule_products_are_possible"),
        migrations.AddConstraint(
            "alertrule",
            models.CheckConstraint(
                condition=models.Q(num_of_products__isnull=True) | models.Q(num_of_products__range=(1, 32767)),
                name="alert_rule_products_are_possible",
            ),
        ),
        migrations.RunPython(migrations.RunPython.noop, refuse_to_lose_words),
    ]
