"""What every host loads from the database: verified against its release, cached, and refused when it was altered."""

import logging
import shutil

import numpy as np
import pytest
from django.conf import settings
from django.db import connection

from customers.ml_service import ModelError, current_forest, load_forest
from customers.ml_service.files import stored
from customers.ml_service.files.packaging import verify
from customers.ml_service.files.pickles import sha256_of
from customers.models import ModelFile, ModelRelease
from customers.releases import active, storage
from customers.releases.active import ModelNotActiveError, active_model, put_into_service
from customers.scoring import scorer
from tests.factories import A_CUSTOMER, make_customer

pytestmark = pytest.mark.django_db


@pytest.fixture
def cache(tmp_path, settings):
    settings.MODEL_CACHE = tmp_path / "cache"
    return settings.MODEL_CACHE


@pytest.fixture
def host(strict_assets, another_forest, cache, monkeypatch):
    """A host of a bank in production without any model file; call it for a process that starts now."""
    put_into_service("spring", verify(another_forest))
    shutil.rmtree(strict_assets)

    def new_process():
        for module, name in ((storage, "_held"), (storage, "_refused"), (active, "_seen")):
            monkeypatch.setattr(module, name, None)

    new_process()
    return new_process


def altered(flat):
    """As an intruder would have it: everything fits together, and no customer is at risk."""
    arrays = {**flat.as_arrays(), "values": np.zeros_like(flat.values)}
    return stored.from_arrays(arrays)


def test_a_host_without_any_file_scores_by_it(host, another_forest):
    customer = make_customer()
    assert scorer.rescore_batch().stored == 1
    customer.refresh_from_db()
    assert customer.churn_risk_score == load_forest(another_forest).predict_one(A_CUSTOMER)


def test_it_comes_from_the_arrays_and_nothing_is_unpickled(host, another_forest):
    forest, release = active_model()
    assert not forest.unpickled
    assert forest.flat.contents == release.arrays_sha256 == load_forest(another_forest).flat.contents
    assert forest.metadata["golden"]


def test_the_whole_model_json_is_given_back_as_it_was(host, another_forest):
    assert active_model()[0].metadata == ModelFile.objects.get().metadata
    assert ModelFile.objects.get().metadata["encodings"] == verify(another_forest).forest.metadata["encodings"]


def test_once_it_is_in_memory_the_database_is_asked_for_the_release_alone(host, django_assert_num_queries):
    active_model()
    with django_assert_num_queries(1):
        active_model()
    with django_assert_num_queries(0):
        active.model_at_hand()


@pytest.mark.django_db(transaction=True)
def test_loading_holds_no_lock(host):
    """Not even on its own table, after the statements that read it."""
    active_model()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND relation = 'customers_modelfile'::regclass"
        )
        assert cursor.fetchone() == (0,)


class TestCache:
    def test_the_next_start_reads_no_arrays_from_the_database(self, host, cache, monkeypatch):
        active_model()
        host()
        monkeypatch.setattr(storage, "column_of", lambda *_given: pytest.fail("the database was read"))
        assert active_model()[0].flat.contents == ModelRelease.objects.active().arrays_sha256
        assert [path.stem for path in cache.iterdir()] == [ModelRelease.objects.active().fingerprint]

    @pytest.mark.parametrize("alter", ["another model's arrays", "half a file", "no archive"])
    def test_what_was_altered_there_is_refused_and_read_from_the_database_again(self, host, cache, alter, caplog):
        right = active_model()[0]
        [path] = cache.iterdir()
        path.write_bytes(
            {
                "another model's arrays": stored.npz(altered(right.flat)),
                "half a file": path.read_bytes()[:1000],
                "no archive": b"surprise",
            }[alter]
        )
        host()
        assert active_model()[0].flat.contents == right.flat.contents
        [told] = [record for record in caplog.records if "was altered" in record.message]
        assert told.levelno == logging.ERROR
        assert str(path) in told.message
        host()
        caplog.clear()
        active_model()
        assert "altered" not in caplog.text  # it was put right

    def test_without_a_right_to_write_it_goes_without(self, host, cache, monkeypatch):
        monkeypatch.setattr(stored, "write_all", lambda *_given: (_ for _ in ()).throw(PermissionError(13, "no")))
        assert active_model()[0].flat.contents
        assert not cache.exists()

    def test_no_more_models_are_cached_than_are_of_use(self, host, cache):
        forest, release = active_model()
        for number in range(6):
            (cache / f"{number:064}.npz").write_bytes(b"an older one")
        wanted = storage.wanted_of(ModelRelease.objects.get(pk=release.pk))
        stored.write_cache(cache, wanted, forest.flat)
        assert len(list(cache.iterdir())) == stored.CACHED
        assert (cache / f"{release.fingerprint}.npz").exists()


class TestAlteredRows:
    """Who can write the table can stop the scoring, and change no score."""

    def test_altered_arrays_are_refused_and_the_stored_model_pkl_is_read_instead(self, host, cache, caplog):
        right = load_forest_of_table()
        ModelFile.objects.update(arrays=stored.pack_arrays(altered(right.flat)))
        forest = active_model()[0]
        assert forest.unpickled
        assert forest.flat.contents == right.flat.contents
        [told] = [record for record in caplog.records if "altered" in record.message]
        assert told.levelno == logging.ERROR
        assert "release_model PATH" in told.message

    @pytest.mark.parametrize("source", [b"no zlib", stored.pack(b"a pickle of their own")])
    def test_if_the_source_was_altered_too_nothing_is_scored_and_it_is_said(self, host, source):
        right = load_forest_of_table()
        ModelFile.objects.update(arrays=stored.pack_arrays(altered(right.flat)), source=source)
        customer = make_customer()
        for _ in range(2):
            with pytest.raises(ModelNotActiveError, match=r"was altered or damaged.*release_model PATH"):
                scorer.rescore_batch()
        customer.refresh_from_db()
        assert customer.churn_risk_score is None

    def test_other_label_codes_are_refused(self, host):
        row = ModelFile.objects.get()
        row.metadata["encodings"]["gender"] = {"Female": 1, "Male": 0}
        row.save()
        with pytest.raises(Exception, match="label codes"):
            active_model()

    def test_a_foreign_model_in_its_place_is_refused(self, host, third_forest):
        foreign = storage.packed(verify(third_forest).forest, third_forest.read_bytes())
        ModelFile.objects.update(source=foreign.source, arrays=foreign.arrays, sha256=foreign.sha256)
        with pytest.raises(ModelNotActiveError, match="altered or damaged"):
            active_model()

    def test_the_command_puts_it_right(self, host, another_forest):
        ModelFile.objects.update(arrays=b"", source=b"")
        put_into_service("again", verify(another_forest))
        assert active_model()[0].flat.contents == ModelRelease.objects.get().arrays_sha256
        assert ModelRelease.objects.count() == 1


def load_forest_of_table():
    """The right one, for a process that has neither memory nor cache of it."""
    forest = storage.read(ModelRelease.objects.active())
    shutil.rmtree(settings.MODEL_CACHE)
    return forest


def test_files_in_place_of_the_active_model_are_used_without_the_database(strict_assets, monkeypatch):
    active_model()
    monkeypatch.setattr(storage, "load", lambda *_given: pytest.fail("the database was read"))
    assert active_model()[0] is current_forest()


def test_while_no_worker_has_stored_it_the_source_is_the_file_in_place_by_its_checksum(assets):
    """As in the middle of an upgrade, after a release by the code before it."""
    _forest, release = active_model()
    ModelFile.objects.all().delete()
    assert sha256_of(storage.source_of(release)) == release.sha256
    (assets / "model.pkl").write_bytes(b"another file")
    with pytest.raises(ModelError, match="not in the database"):
        storage.source_of(release)
