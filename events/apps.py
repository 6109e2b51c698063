"""Connects what the rooms below must not import: saves of a customer, and the schedules of the worker."""

from django.apps import AppConfig
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate, post_save


class EventsConfig(AppConfig):
    name = "events"
    verbose_name = "Monitoring"  # over the pages of its models

    def ready(self) -> None:
        from django_q.signals import post_spawn, pre_enqueue

        from customers.models import Customer, import_is_due, model_is_approved, shadow_is_started
        from events import checks, signals  # noqa: F401  checks registers itself
        from events.alerts import checks as alert_checks  # noqa: F401
        from events.digest import checks as digest_checks  # noqa: F401
        from events.queue import allowed, lease, pickles, schedules
        from events.triggers import repair
        from events.worker import warmup

        pickles.install()
        pre_enqueue.connect(allowed.replace_refused, dispatch_uid="events.replace_refused")
        connection_created.connect(lease.cache.forget, dispatch_uid="events.forget_lease")
        post_save.connect(signals.customer_saved, sender=Customer, dispatch_uid="events.customer_saved")
        import_is_due.connect(signals.import_left_to_workers, dispatch_uid="events.import_left_to_workers")
        model_is_approved.connect(signals.approval_left_to_workers, dispatch_uid="events.approval_left_to_workers")
        shadow_is_started.connect(signals.shadow_left_to_workers, dispatch_uid="events.shadow_left_to_workers")
        post_spawn.connect(warmup.worker_spawned, dispatch_uid="events.worker_spawned")
        post_migrate.connect(repair.repair_if_newest, sender=self, dispatch_uid="events.trigger_repair")
        post_migrate.connect(schedules.ensure_schedules, sender=self, dispatch_uid="events.ensure_schedules")
