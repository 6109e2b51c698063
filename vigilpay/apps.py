"""The application that joins the rooms: commands, checks and roles that concern the whole house."""

from django.apps import AppConfig, apps
from django.contrib.admin.apps import AdminConfig
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate


class VigilPayConfig(AppConfig):
    name = "vigilpay"

    def ready(self) -> None:
        from django_q.signals import post_execute_in_worker, pre_execute

        from vigilpay import checks, log_context, roles, sessions  # noqa: F401  registers the checks
        from vigilpay.web import statement_timeout

        connection_created.connect(sessions.pin, dispatch_uid="vigilpay.sessions")
        connection_created.connect(statement_timeout.limit, dispatch_uid="vigilpay.statement_timeout")
        pre_execute.connect(log_context.begin_job, dispatch_uid="vigilpay.log_context.begin_job")
        post_execute_in_worker.connect(log_context.end_job, dispatch_uid="vigilpay.log_context.end_job")
        # Not our own turn, which comes first: the rooms' permissions are made before that of `auth`.
        post_migrate.connect(roles.fill_groups, sender=apps.get_app_config("auth"), dispatch_uid="vigilpay.fill_groups")


class VigilPayAdminConfig(AdminConfig):
    """Django's admin on a site of ours."""

    default_site = "vigilpay.web.admin_site.VigilPaySite"
