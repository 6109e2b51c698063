"""A real worker, and jobs that would have it run what is none of its business."""

import os

import pytest
from django.utils import timezone
from django_q.conf import Conf
from django_q.models import OrmQ, Task
from django_q.signing import SignedPackage
from picklefield.fields import dbsafe_encode

from tests.databases import url_of_test_database
from tests.others import await_that
from tests.workers import running_cluster

pytestmark = pytest.mark.django_db(transaction=True)


class Exploit:
    """A pickle that runs a command when it is read."""

    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


def queue(number, **values):
    """As one who has the signing key and may write to the table."""
    job = {"id": f"{number:032}", "name": f"planted {number}", "func": "events.jobs.sweep_stale", "args": ()}
    job |= {"kwargs": {}, "started": timezone.now(), "ack_failure": True, **values}
    OrmQ.objects.create(key=Conf.CLUSTER_NAME, payload=SignedPackage.dumps(job), lock=timezone.now())


def test_it_runs_none_of_them_and_goes_on_with_its_own(tmp_path):
    hurt = tmp_path / "hurt"
    command = f"touch {hurt}"
    # It fails, for it lacks its argument, and django-q2 looks up what it has stored of that job before.
    planted = dbsafe_encode(Exploit(command), copy=False)
    at = {"started": timezone.now(), "stopped": timezone.now()}
    Task.objects.create(id=f"{1:032}", name="planted 1", func="f", result=planted, success=False, **at)
    queue(1, func="events.jobs.report_refused")
    queue(2, func="os.system", args=(command,))
    queue(3, func="events.jobs.report_refused", hook="os.system")
    queue(4, args=(Exploit(command),))
    queue(5, func="events.jobs.report_refused", args=("the last one has run",))
    log = tmp_path / "worker.log"
    with running_cluster(url_of_test_database(), log):
        await_that(lambda: "the last one has run" in log.read_text(), "the worker has come to the last job")
        await_that(lambda: not OrmQ.objects.exists(), "all of them are gone")
    assert not hurt.exists()
    assert log.read_text().count("A job was refused: ") >= 4
    assert Task.objects.get().attempt_count == 1  # what was planted has been read
