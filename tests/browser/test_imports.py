"""Customers into the product as a file, and out of it again, by an analyst."""

import csv
import re

import pytest

from tests.others import await_that

HEADER = (
    "customer_id,surname,credit_score,geography,gender,age,tenure,balance,num_of_products,has_cr_card,is_active_member"
)
GOOD = ["990001,Made Up,610,Spain,Female,44,5,0,1,1,0", "990002,Made Up,700,France,Male,31,2,88000.5,2,0,1"]
BAD = ["990003,Made Up,700,Spain,Male,300,2,88000.5,2,0,1", "990004,Made Up,700,France,Male,-3,2,0,2,0,1"]


@pytest.fixture
def analyst(visit):
    return visit("analyst")


def shows(visitor, what):
    """Wait until the page says it. It never comes again by itself: its link does it."""

    def is_shown():
        if re.search(what, visitor.text()):
            return True
        update = visitor.page.locator("a.vp-update")
        if update.count():
            update.click()
        return False

    await_that(is_shown, f"the page says: {what}")


def lines_of(download):
    with download.path().open(newline="", encoding="utf-8-sig") as file:
        return list(csv.reader(file))


def test_good_rows_arrive_and_are_scored_and_bad_ones_come_back_with_reasons(analyst, site, tmp_path):
    file = tmp_path / "branch.csv"
    file.write_text("\n".join([HEADER, *GOOD, *BAD]))
    analyst.open("/admin/customers/importbatch/add/")
    analyst.page.set_input_files("#id_file", file)
    analyst.page.click("[name=_save]")
    shows(analyst, "2 new, 0 changed, 0 unchanged, 2 rejected")
    assert site.query("SELECT count(*) FROM customers_customer WHERE customer_id BETWEEN 990001 AND 990004") == [(0,)]

    with analyst.page.expect_download() as started:
        analyst.page.get_by_text("Download as CSV").click()
    rejects = lines_of(started.value)
    assert len(rejects) == 1 + len(BAD)
    assert "300" in str(rejects[1])

    analyst.page.check("[name=next_step][value=import]")
    analyst.page.click("[name=_save]")
    shows(analyst, "2 new, 0 changed; 2 rejected")
    scored = (
        "SELECT customer_id FROM customers_customer WHERE customer_id BETWEEN 990001 AND 990004 AND stale_since IS NULL"
    )
    await_that(lambda: len(site.query(scored)) == len(GOOD), "the workers have scored the new customers")


def test_a_file_of_another_kind_is_refused_at_once(analyst, tmp_path):
    file = tmp_path / "holiday.csv"
    file.write_text("beach,weather\nsand,sun\n")
    analyst.open("/admin/customers/importbatch/add/")
    analyst.page.set_input_files("#id_file", file)
    analyst.page.click("[name=_save]")
    analyst.page.wait_for_selector(".errorlist")
    assert "/importbatch/add/" in analyst.page.url


def test_what_is_selected_comes_out_as_a_file(analyst):
    analyst.open("/admin/customers/customer/")
    chosen = analyst.page.locator("#result_list .action-select")
    ids = [chosen.nth(row).input_value() for row in range(2)]
    for row in range(2):
        chosen.nth(row).check()
    analyst.page.select_option("[name=action]", label="Export as CSV")
    with analyst.page.expect_download() as started:
        analyst.page.click("[name=index]")
    header, *rows = lines_of(started.value)
    assert {row[header.index("customer_id")] for row in rows} == set(ids)


def test_a_viewer_neither_imports_nor_exports(visit):
    viewer = visit("viewer")
    assert viewer.open("/admin/customers/importbatch/add/") == 403
    assert viewer.open("/admin/customers/customer/") == 200
    assert viewer.page.locator("[name=action]").count() == 0
