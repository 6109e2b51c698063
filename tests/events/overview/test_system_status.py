"""The operator's page: the engine, the model, and the customers it can't score."""

import re
from datetime import timedelta

import pytest
from django.utils import timezone

from customers.ml_service.fairness import GroupFigures
from customers.ml_service.intervals import rate_of
from customers.ml_service.messages import NO_BREAK
from customers.models import Customer, DriftCheck, Exclusion, FairnessCheck, ModelRelease
from customers.scoring.requests import give_up
from events.models.engine import Drain, Overview, Worker
from events.overview import counting
from events.queue import pause
from tests.factories import make_failure, make_scored, random_rows, refer_to, write_as_scorer
from tests.staff import logged_in, superuser, with_role

pytestmark = pytest.mark.django_db

LIST = "/admin/events/systemstatus/"
PAGE = f"{LIST}1/change/"


@pytest.fixture
def root():
    return superuser("root")


def words(client):
    """What is to be read on the page, without the tags."""
    response = client.get(PAGE)
    assert response.status_code == 200
    page = response.content.decode()
    return " ".join(re.sub(r"<[^>]+>", " ", page[page.index("<main") :]).split())


class TestPage:
    @pytest.mark.parametrize("role", ["viewer", "analyst", "operator"])
    def test_every_role_may_see_it(self, role):
        client = with_role(role)
        assert client.get(LIST).headers["Location"] == PAGE
        assert "System status" in words(client)

    def test_others_may_not(self):
        assert logged_in("bob", "view_customer", "view_overview").get(PAGE).status_code == 403

    def test_nothing_in_it_is_inline_style_or_script(self, root):
        make_failure(make_scored())
        page = root.get(PAGE).content.decode()
        assert " style=" not in page
        assert not re.search(r"<script(?![^>]* src=)", page)

    def test_before_the_first_count_it_says_so_and_shows_the_workers(self, root, monkeypatch):
        monkeypatch.setattr(counting, "count_now", lambda patience: False)
        found = words(root)
        assert "being calculated for the first time" in found
        assert "No worker has been running in the last day" in found


class TestEngine:
    def test_workers_are_told_by_their_heartbeats(self, root):
        now = timezone.now()
        for name, looked, claimed in (("busy", 0, 7), ("idle", 0, None), ("gone", 500, None)):
            Worker.objects.create(
                name=name,
                host="h",
                started_at=now - timedelta(hours=3),
                looked_at=now - timedelta(seconds=looked),
                claimed_at=claimed and now - timedelta(seconds=claimed),
            )
        found = words(root)
        assert re.search(r"busy h \S+ \S+ \S+ \S+ \S+ m?s ago Working for [78] s", found)
        assert re.search(r"idle h .* ago Running", found)
        assert re.search(r"gone h .* 8 min ago Not running", found)

    def test_a_pause_can_be_ended_from_here(self, root):
        assert 'href="/admin/events/pause/add/">Pause scoring…' in root.get(PAGE).content.decode()
        pause.pause(by="bob", reason="review")
        assert "Scoring is paused. Scoring has been paused since" in words(root)
        assert 'href="/admin/events/pause/1/change/">Resume scoring…' in root.get(PAGE).content.decode()

    def test_who_may_not_has_no_button(self):
        viewer = with_role("viewer")
        assert "vp-button" not in viewer.get(PAGE).content.decode()
        pause.pause()
        assert "vp-button" not in viewer.get(PAGE).content.decode()

    def test_scoring_runs_are_shown_with_their_duration(self, root):
        ended = timezone.now()
        run = Drain.objects.create(
            worker="here:1",
            started_at=ended - timedelta(seconds=2.5),
            ended_at=ended,
            claimed=1234,
            stored=1234,
            rejected=0,
            refused=0,
        )
        assert "2.5 s 1,234 here:1" in words(root)
        assert f"/admin/events/drain/{run.pk}/change/" in root.get(PAGE).content.decode()

    def test_during_a_release_it_shows_how_many_each_model_has_scored(self, root):
        make_scored()
        moved_on = make_scored()
        old = ModelRelease.objects.active()
        new = ModelRelease.objects.create(sha256="f" * 64, fingerprint="f" * 64)
        write_as_scorer(moved_on, scored_by=new)
        found = words(root)
        assert f"Release {old.pk} 1 50.0 % 1" in found
        assert f"Release {new.pk} (active) 1 50.0 % 0" in found


class TestDrift:
    def test_without_figures_of_the_training_it_says_so(self, root):
        make_scored()
        ModelRelease.objects.update(metadata={})
        assert "Drift cannot be checked. Release" in words(root)

    def test_before_the_first_check_it_says_so(self, root):
        make_scored()
        refer_to(random_rows(50, seed=1))
        assert "has not been checked for drift yet" in words(root)

    def test_each_field_is_told_with_what_moved(self, root):
        make_scored()
        moved = {"bin": "75 or more", "reference_share": 0.1, "share": 0.4}
        DriftCheck.objects.create(
            release=ModelRelease.objects.active(),
            reference_rows=8000,
            customers=310000,
            scores=1000,
            shifts=[
                {"column": "tenure", "psi": 0.01, "by_chance": 0.02, "moved_most": moved},
                {"column": "age", "psi": 0.654, "by_chance": 0.02, "moved_most": moved},
            ],
        )
        found = words(root)
        assert "310,000 customers, 1,000 of them with a current score" in found
        assert "Age 0.654 Major shift 75 or more: 10.0 % in training, 40.0 % now Years with the bank 0.010" in found
        assert (
            "Warning: The customers differ from those the model was trained on: age (PSI 0.65, major shift)." in found
        )


class TestFairness:
    def test_before_the_first_check_it_says_so(self, root):
        make_scored()
        assert "Fairness has not been checked yet for the active model." in words(root)

    def test_groups_are_told_with_what_became_of_them(self, root):
        make_scored()
        release = ModelRelease.objects.active()
        found = GroupFigures(2000, 0.2, selected=(rate_of(300, 2000), rate_of(100, 2000), None))
        judged = GroupFigures(1000, 0.3, 200, rate_of(200, 1000), *[(rate_of(90, 150), None, None)] * 3)
        FairnessCheck.objects.create(
            release=release,
            thresholds=[0.25, 0.5, 0.75],
            customers=2000,
            groups={"age": {"60+": found.as_json()}},
            judged_release=release,
            first_day="2026-01-05",
            last_day="2026-07-03",
            judged_groups={"age": {"60+": judged.as_json()}},
        )
        page = words(root).replace(NO_BREAK, " ")
        assert "2,000 customers with an up-to-date score" in page
        assert "Group Customers Mean churn risk Churn risk of 25.0 % or more" in page
        assert "Age 60+ 2,000 20.0 % 15.0 % (13.5 to 16.6) 5.0 % (4.1 to 6.0) too few to tell" in page
        assert "customers who left from 5 Jan 2026 to 3 Jul 2026" in page
        assert "Age 60+ 1,000 20.0 % (17.6 to 22.6) 30.0 % too high" in page
        assert "Warning: Churn risks of release" in page
        assert "Fairness by threshold" in page
        assert "Selected customers have a churn risk at or above the threshold." in page
        assert "Age 60+ 60.0 % (52.0 to 67.5)" in page
        page = root.get(PAGE).content.decode()
        assert " style=" not in page


class TestExcluded:
    def test_by_the_model_and_by_staff_are_two_reasons(self, root):
        refused, excluded = make_scored(), make_scored()
        make_failure(refused)
        Customer.objects.filter(pk=excluded.pk).update(age=77)
        give_up(Customer.objects.filter(pk=excluded.pk), "Excluded by ann.")
        page, found = root.get(PAGE).content.decode(), words(root)
        assert "No score could be calculated 1 Excluded by staff 1" in found
        assert f'<a href="/admin/customers/customer/{refused.pk}/change/">{refused.pk}</a>' in page
        address = f"/admin/customers/scoringfailure/?state=excluded&amp;reason__exact={Exclusion.PERSON}"
        assert f'href="{address}"' in page
        listed = root.get(address.replace("&amp;", "&")).context["cl"].result_list
        assert [failure.pk for failure in listed] == [excluded.pk]
        assert "excluded from scoring by staff" in found

    def test_customers_are_links_for_users_who_may_see_them(self):
        make_failure(make_scored())
        client = logged_in("bob", "view_systemstatus", "view_scoringfailure")
        assert "/admin/customers/customer/" not in client.get(PAGE).content.decode()


class TestReleases:
    def test_the_list_tells_auc_active_and_customers_scored(self, root):
        make_scored()
        old = ModelRelease.objects.active()
        new = ModelRelease.objects.create(
            sha256="abcdef" * 10 + "abcd",
            fingerprint="f" * 64,
            note="second",
            metadata={"metrics": {"roc_auc": {"mean": 0.8621}}},
        )
        counting.count_now()
        Overview.objects.update(took_seconds=5)
        page = root.get("/admin/customers/modelrelease/").content.decode()
        rows = [" ".join(re.sub(r"<[^>]+>", " ", row).split()) for row in re.findall(r"<tr>.*?</tr>", page, re.DOTALL)]
        newest = next(row for row in rows if f"Release {new.pk} " in row)
        assert "0.862 abcdefabcdef 0 second" in newest
        assert re.search(rf"Release {old.pk} .* 1\b", next(row for row in rows if f"Release {old.pk} " in row))
        assert "abcdefabcdefa" not in page
        assert "Customers scored: as of" in page
