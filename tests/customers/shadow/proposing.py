"""A bank in which a model is proposed, without the minute that its verification takes."""

from functools import cache

from customers.ml_service import load_forest
from customers.models import ModelProposal, StaleMark
from customers.releases import proposals, storage
from customers.releases.active import summary
from customers.scoring import marks, scorer
from customers.shadow import runs, work
from events import jobs


@cache
def loaded(path):
    forest = load_forest(path)
    return forest, storage.packed(forest, path.read_bytes())


def propose(path, by="anna"):
    """As ``release_model`` does, of a file that is known to be good."""
    forest, model = loaded(path)
    storage.keep(model)
    return ModelProposal.objects.create(
        sha256=forest.sha256,
        fingerprint=forest.fingerprint,
        arrays_sha256=forest.flat.contents,
        metadata=summary(forest),
        proposed_by=by,
    )


def start(proposal, share=1.0):
    return runs.start(proposal, share=share, by="ben", reason="to compare")


def work_off():
    """As a worker does that has the time: no live work waits."""
    StaleMark.objects.filter(kind__lt=marks.INTACT).delete()
    return work.work_off()


def activate(proposal):
    """Approved by another person, and put into service by a worker."""
    proposals.approve(proposal, by="ben", fingerprint=proposal.fingerprint)
    assert jobs.activate_approved() == 1


def drain():
    """Batch after batch; how many scores were stored."""
    stored = 0
    while (batch := scorer.rescore_batch()).stored or batch.swept:
        stored += batch.stored
    return stored
