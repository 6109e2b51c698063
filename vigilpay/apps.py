"""The application that joins the rooms: commands, access and roles that concern the whole house."""

from django.apps import AppConfig, apps
from django.contrib.admin.apps import AdminConfig
from django.db.backends.signals import connection_created
from django.db.models.signals import post_migrate


class VigilPayConfig(AppConfig):
    name = "vigilpay"
    verbose_name = "Access and audit"  # over the pages of its models

    def ready(self) -> None:
        from axes.signals import user_locked_out
        from django.contrib.auth.signals import user_logged_in, user_login_failed
        from django_q.signals import post_execute_in_worker, pre_execute

        from vigilpay import roles, schedules, sessions
        from vigilpay.access import logins, time_limits
        from vigilpay.processes import database_errors
        from vigilpay.web import log_context, statement_timeout

        database_errors.leave_details_out()
        connection_created.connect(sessions.pin, dispatch_uid="vigilpay.sessions")
        connection_created.connect(statement_timeout.limit, dispatch_uid="vigilpay.statement_timeout")
        user_logged_in.connect(time_limits.begin, dispatch_uid="vigilpay.time_limits")
        user_login_failed.connect(logins.log_failure, dispatch_uid="vigilpay.log_failure")
        user_locked_out.connect(logins.log_lock, dispatch_uid="vigilpay.log_lock")
        post_migrate.connect(schedules.ensure_schedules, sender=self, dispatch_uid="vigilpay.ensure_schedules")
        pre_execute.connect(log_context.begin_job, dispatch_uid="vigilpay.web.log_context.begin_job")
        post_execute_in_worker.connect(log_context.end_job, dispatch_uid="vigilpay.web.log_context.end_job")
        # Not our own turn, which comes first: the rooms' permissions are made before that of `auth`.
        post_migrate.connect(roles.fill_groups, sender=apps.get_app_config("auth"), dispatch_uid="vigilpay.fill_groups")


class VigilPayAdminConfig(AdminConfig):
    """Django's admin on a site of ours."""

    default_site = "vigilpay.web.admin_site.VigilPaySite"
