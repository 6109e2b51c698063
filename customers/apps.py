"""Hands the settings to the model service, which itself knows nothing of Django."""

from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate, pre_migrate

from customers.ml_service import schema


class CustomersConfig(AppConfig):
    name = "customers"

    def __init__(self, *args: Any) -> None:
        """Before any model is made: constraints, forms and checks of cells are made from the bounds."""
        super().__init__(*args)
        try:
            schema.set_bounds(settings.BOUNDS)
        except ValueError as error:
            raise ImproperlyConfigured(f"VIGILPAY_BOUNDS is wrong: {error}.") from None

    def ready(self) -> None:
        from customers import checks, early_databases, editors  # noqa: F401  checks registers itself
        from customers.models import bounds
        from customers.outreach import control
        from customers.releases import active, records
        from customers.scoring import promotion

        records.configure_models()
        pre_migrate.connect(early_databases.mend, sender=self, dispatch_uid="customers.early_databases")
        post_migrate.connect(control.fix_control_group, sender=self, dispatch_uid="customers.control_group")
        post_migrate.connect(bounds.follow_settings, sender=self, dispatch_uid="customers.bounds")
        connection_created.connect(editors.connected, dispatch_uid="customers.connected")
        connection_created.connect(active.forget_active, dispatch_uid="customers.forget_active")
        connection_created.connect(promotion.forget, dispatch_uid="customers.forget_promotion")
