"""Hands the settings to the model service, which itself knows nothing of Django."""

from django.apps import AppConfig
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate, pre_migrate


class CustomersConfig(AppConfig):
    name = "customers"

    def ready(self) -> None:
        from customers import checks, early_databases, editors  # noqa: F401  checks registers itself
        from customers.outreach import control
        from customers.releases import active, records
        from customers.scoring import promotion

        records.configure_models()
        pre_migrate.connect(early_databases.mend, sender=self, dispatch_uid="customers.early_databases")
        post_migrate.connect(control.fix_control_group, sender=self, dispatch_uid="customers.control_group")
        connection_created.connect(editors.connected, dispatch_uid="customers.connected")
        connection_created.connect(active.forget_active, dispatch_uid="customers.forget_active")
        connection_created.connect(promotion.forget, dispatch_uid="customers.forget_promotion")
