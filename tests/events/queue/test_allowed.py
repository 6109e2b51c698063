"""Workers run the engine's own jobs, and nothing else, however it came into the queue."""

import pickle
from datetime import timedelta

import pytest
from django.utils import timezone
from django_q.models import OrmQ, Schedule, Task
from django_q.scheduler import scheduler
from django_q.signing import BadSignature, PickleSerializer, SignedPackage
from django_q.tasks import async_task
from picklefield.fields import dbsafe_encode

from events import jobs
from events.queue import allowed, dispatch, pickles
from events.queue.schedules import SCHEDULES
from tests.test_upgrade import FORMER_JOBS
from vigilpay.schedules import SCHEDULES as OF_THE_HOUSE

pytestmark = pytest.mark.django_db

HURT = "os.system"


class Exploit:
    """A pickle that would run a function when it is read."""

    def __reduce__(self):
        return exec, ("raise SystemExit('the pickle was run')",)


def queued():
    return [SignedPackage.loads(job.payload) for job in OrmQ.objects.order_by("id")]


def package(**values):
    """Signed, and past what ``async_task`` would have made of it."""
    job = {"id": "1" * 32, "name": "made up", "func": "events.jobs.sweep_stale", "args": (), "kwargs": {}}
    return SignedPackage.dumps({**job, "started": timezone.now(), **values})


class TestList:
    def test_it_has_all_that_schedules_and_earlier_versions_name(self):
        for path in (*FORMER_JOBS, *(values["func"] for values in SCHEDULES.values())):
            assert allowed.refusal({"func": path}) == ""

    def test_it_has_all_that_the_code_queues(self):
        queued_by_us = {value for name, value in vars(dispatch).items() if name.endswith("_JOB")}
        assert queued_by_us
        for path in (*queued_by_us, *(values["func"] for values in OF_THE_HOUSE.values())):
            assert allowed.refusal({"func": path}) == ""

    def test_all_that_it_names_exists(self):
        for path in allowed.OURS:
            module, _, name = path.rpartition(".")
            assert callable(getattr(__import__(module, fromlist=[name]), name))

    @pytest.mark.parametrize(
        "job",
        [
            {"func": HURT},
            {"func": ""},
            {"func": None},
            {"func": jobs.sweep_stale},
            {"func": "events.jobs.marks.mark_all"},
            {"func": "events.jobs.sweep_stale", "hook": HURT},
            {"func": "events.jobs.sweep_stale", "chain": [(HURT, ("true",))]},
            {"func": "events.jobs.sweep_stale", "sync": True},
            {},
        ],
        ids=lambda job: str(job).partition(" at 0x")[0],  # an address differs from process to process
    )
    def test_all_else_is_refused(self, job):
        assert allowed.refusal(job)

    def test_the_bank_may_add_its_own(self, settings):
        settings.JOBS_ALLOWED = ["bank.jobs.nightly"]
        assert allowed.refusal({"func": "bank.jobs.nightly"}) == ""


@pytest.mark.django_db(transaction=True)  # the scheduler closes connections
class TestSchedules:
    def run(self, **values):
        Schedule.objects.all().delete()
        Schedule.objects.create(name="the bank's own", next_run=timezone.now() - timedelta(hours=1), **values)
        Schedule.objects.create(name="ours", func="events.jobs.sweep_stale", next_run=timezone.now())
        scheduler()
        return queued()

    @pytest.mark.parametrize(
        "values",
        [
            {"func": HURT, "args": "'touch /tmp/hurt'"},
            {"func": "events.jobs.sweep_stale", "hook": HURT},
            {"func": "events.jobs.sweep_stale", "kwargs": "q_options={'hook': 'os.system'}"},
            {"func": "events.jobs.sweep_stale", "kwargs": "q_options={'chain': [('os.system', ('true',))]}"},
            {"func": HURT, "args": "'touch /tmp/hurt'", "kwargs": "q_options={'sync': True}"},
        ],
        ids=str,
    )
    def test_one_that_is_refused_runs_nothing_says_so_and_holds_up_no_other(self, values, caplog):
        refused, ours = self.run(**values)
        assert (refused["func"], ours["func"]) == (allowed.REFUSED_JOB, "events.jobs.sweep_stale")
        assert not {"hook", "chain", "sync"} & refused.keys()
        jobs.report_refused(*refused["args"])
        assert "A job was refused: " in caplog.text
        assert values["func"] in caplog.text

    def test_what_code_queues_is_replaced_as_well(self):
        async_task(HURT, "true", hook=HURT)
        assert [job["func"] for job in queued()] == [allowed.REFUSED_JOB]


class TestPickles:
    def test_a_job_that_was_signed_and_put_into_the_table_is_refused(self):
        for payload in (
            package(func=HURT),
            package(hook=HURT),
            package(func=jobs.sweep_stale),
            package(args=(Exploit(),)),
        ):
            with pytest.raises(BadSignature, match="A job was refused"):
                SignedPackage.loads(payload)

    def test_one_of_ours_is_read_as_it_was_written(self):
        job = SignedPackage.loads(package(args=(7,), kwargs={"a": timedelta(1)}))
        assert (job["func"], job["args"], job["kwargs"]) == ("events.jobs.sweep_stale", (7,), {"a": timedelta(1)})

    def test_what_is_no_pickle_at_all_is_refused_as_well(self):
        with pytest.raises(BadSignature):
            PickleSerializer.loads(b"nonsense")

    def test_a_result_that_another_role_has_written_is_not_run(self):
        made = {"started": timezone.now(), "stopped": timezone.now(), "name": "x", "func": "f"}
        packed = dbsafe_encode(Exploit(), copy=False)
        Task.objects.create(id="1" * 32, result=packed, args=(1,), kwargs={"a": "b"}, **made)
        found = Task.objects.get()
        assert isinstance(found.result, str)  # still packed
        assert (found.args, found.kwargs) == ((1,), {"a": "b"})

    def test_what_restricts_is_what_refuses(self):
        """With Python's own reader the exploit would run."""
        data = pickle.dumps(Exploit())
        with pytest.raises(SystemExit):
            pickle.loads(data)
        with pytest.raises(pickle.UnpicklingError, match=r"builtins\.exec is no plain data"):
            pickles.loads_plain(data)
