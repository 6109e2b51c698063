"""Hands the settings to the model service, which itself knows nothing of Django."""

from django.apps import AppConfig
from django.conf import settings
from django.db.backends.signals import connection_created
from django.db.models.signals import pre_migrate

from customers import ml_service


class CustomersConfig(AppConfig):
    name = "customers"

    def ready(self) -> None:
        from customers import checks, early_databases, editors  # noqa: F401  checks registers itself
        from customers.releases import active

        ml_service.configure(assets_dir=settings.ML_ASSETS_DIR, accept_unreleased=settings.ACCEPT_UNRELEASED_MODEL)
        pre_migrate.connect(early_databases.mend, sender=self, dispatch_uid="customers.early_databases")
        connection_created.connect(editors.connected, dispatch_uid="customers.connected")
        connection_created.connect(active.forget_active, dispatch_uid="customers.forget_active")
