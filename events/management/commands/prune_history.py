"""Delete what is too old to be kept."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser
from django.utils import timezone

from customers.history import retention
from customers.management.progress import positive
from customers.models import ScoringFailure
from customers.outreach.retention import prune_outreach, would_prune_outreach
from events.alerts.retention import prune_alerts
from events.models.alerts import Alert
from events.worker import drains


class Command(BaseCommand):
    help = "Delete old scores, unscored versions, scoring runs and changes; the newest score of each customer stays."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--days",
            type=positive,
            default=settings.HISTORY_DAYS,
            metavar="N",
            help="number of days to keep (%(default)s)",
        )
        parser.add_argument("--dry-run", action="store_true", help="count only")

    def handle(self, *args: Any, days: int, dry_run: bool, **options: Any) -> None:
        before = timezone.now() - timedelta(days=days)
        if dry_run:
            found = retention.would_prune(before)
            old_drains = drains.old_drains().count()
            old_alerts = Alert.objects.filter(acknowledged_at__lt=before).count()
            old_outreach = would_prune_outreach(before)
        else:
            found = retention.prune_history(before)
            ScoringFailure.objects.forget_former_lives()
            retention.prune_changes(timezone.now() - timedelta(days=settings.FEED_DAYS))
            old_drains, old_alerts = drains.prune_drains(), prune_alerts(before)
            old_outreach = prune_outreach(before)
        self.stdout.write(
            f"{'Would delete' if dry_run else 'Deleted'} rows older than {days} days: {found.records:,} scores, "
            f"{found.unscored_versions:,} unscored versions, {old_alerts:,} acknowledged alerts, "
            f"{old_outreach:,} contacts and finished worklist items; "
            f"and {old_drains:,} scoring runs older than {drains.KEPT_DAYS} days."
        )
