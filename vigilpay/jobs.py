"""What workers run for the whole house, by a schedule: ``vigilpay/schedules.py``."""

from datetime import timedelta
from importlib import import_module

from django.conf import settings
from django.utils import timezone

from vigilpay.access import logins
from vigilpay.models import ServiceToken
from vigilpay.trail.retention import prune_trail

__all__ = ["prune_access", "prune_trail"]


def prune_access() -> int:
    """Delete what has ended and neither lets in nor locks out; how many tokens and failed logins that was.

    Sessions that are over, failed logins whose lock is over, and tokens that ended longer ago than history is kept.
    """
    import_module(settings.SESSION_ENGINE).SessionStore.clear_expired()
    ended, _by_model = ServiceToken.objects.ended_before(
        timezone.now() - timedelta(days=settings.HISTORY_DAYS)
    ).delete()
    return ended + logins.prune()
