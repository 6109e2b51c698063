"""One variable decides what production refuses; DATABASE_URL alone changes only the database."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
NAMES = [
    *("PRODUCTION", "DEBUG", "API_LOGIN_REQUIRED", "ACCEPT_UNRELEASED_MODEL", "ALLOWED_HOSTS", "SECRET_KEY"),
    *("SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SECURE_SSL_REDIRECT", "SECURE_HSTS_SECONDS", "Q_CLUSTER"),
    *("LOOK_SECONDS", "DRAIN_BATCH_ROWS", "DRAIN_SECONDS", "STALL_SECONDS", "ANALYZE_LOCK_SECONDS", "DATABASES"),
    *("RISK_BANDS", "AUTHENTICATION_BACKENDS", "MIDDLEWARE", "SESSION_COOKIE_AGE", "SESSION_IDLE_SECONDS", "PROXIES"),
    *("SECRET_KEY_FALLBACKS", "SECURE_HSTS_INCLUDE_SUBDOMAINS", "SECURE_HSTS_PRELOAD", "LOGGING"),
    *("SCORER_DATABASE", "TIME_ZONE", "CURRENCY", "PROTECTED_FIELDS"),
]
SHOW = f"""
import json
from vigilpay import settings
print(json.dumps({{name: getattr(settings, name) for name in {NAMES}}}))
"""
KEY = "only-for-these-tests-0123456789" * 2
BANK = "postgres://teller:s3cret@db.bank.example/churn"


def run(code=SHOW, **environment):
    """A process of its own with these variables and none of ours."""
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    return subprocess.run(
        [sys.executable, "-c", code], env={**kept, **environment}, capture_output=True, text=True, check=False
    )


def settings_with(**environment):
    done = run(**environment)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def development():
    return settings_with()


@pytest.fixture(scope="module")
def production():
    return settings_with(VIGILPAY_ENV="production", SECRET_KEY=KEY, ALLOWED_HOSTS="bank.example", DATABASE_URL=BANK)


def test_development_is_the_default_and_asks_for_nothing(development):
    assert not development["PRODUCTION"]
    assert not development["API_LOGIN_REQUIRED"]
    assert development["ACCEPT_UNRELEASED_MODEL"]
    assert not development["SECURE_SSL_REDIRECT"]


def test_gender_and_country_are_protected_unless_the_former_setting_still_names_them(development):
    assert development["PROTECTED_FIELDS"] == ["geography", "gender"]
    assert settings_with(VIGILPAY_REASONS_NAME_PROTECTED="1")["PROTECTED_FIELDS"] == []


def test_development_answers_this_machine_only(development):
    assert set(development["ALLOWED_HOSTS"]) == {"127.0.0.1", "localhost", "[::1]"}


def test_production_asks_for_login_tls_and_released_models(production):
    assert production["API_LOGIN_REQUIRED"]
    assert not production["ACCEPT_UNRELEASED_MODEL"]
    assert production["SESSION_COOKIE_SECURE"]
    assert production["CSRF_COOKIE_SECURE"]
    assert production["SECURE_SSL_REDIRECT"]
    assert production["SECURE_HSTS_SECONDS"] == 365 * 24 * 3600
    assert production["SECURE_HSTS_INCLUDE_SUBDOMAINS"]
    assert not production["SECURE_HSTS_PRELOAD"]
    assert production["ALLOWED_HOSTS"] == ["bank.example"]


def test_former_keys_are_given_one_after_another(development):
    assert development["SECRET_KEY_FALLBACKS"] == []
    assert settings_with(SECRET_KEY_FALLBACKS="old, older")["SECRET_KEY_FALLBACKS"] == ["old", "older"]


def test_the_lines_of_the_web_server_are_json_with_all_others(development):
    assert "gunicorn.error" not in development["LOGGING"]["loggers"]
    logging = settings_with(VIGILPAY_LOG_FORMAT="json")["LOGGING"]
    assert logging["loggers"]["gunicorn.error"]["handlers"] == ["console"]
    assert logging["handlers"]["console"]["formatter"] == "json"


def test_neither_shows_debug_pages_unless_asked_to(development, production):
    assert not development["DEBUG"]
    assert not production["DEBUG"]
    assert settings_with(VIGILPAY_DEBUG="1")["DEBUG"]


def test_production_does_not_start_without_a_key_of_its_own():
    done = run(VIGILPAY_ENV="production")
    assert done.returncode != 0
    assert "SECRET_KEY must be set" in done.stderr


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"VIGILPAY_API_LOGIN": "0"}, "VIGILPAY_API_LOGIN is off"),
        ({"VIGILPAY_DEBUG": "1"}, "VIGILPAY_DEBUG is on"),
        ({"SECRET_KEY": KEY[:49]}, "SECRET_KEY has fewer than 50 characters"),
        ({"SECRET_KEY": "change me" * 9}, "SECRET_KEY can be guessed"),
        ({"SECRET_KEY": f"django-insecure-{KEY}"}, "SECRET_KEY can be guessed"),
        ({"ALLOWED_HOSTS": "*"}, "ALLOWED_HOSTS allows every name"),
        ({"ALLOWED_HOSTS": "bank.example, *"}, "ALLOWED_HOSTS allows every name"),
    ],
    ids=lambda it: it if isinstance(it, str) else "",
)
def test_production_does_not_start_with_an_open_door(variables, said):
    """However it is started: nothing but the settings is imported here, as by gunicorn."""
    safe = {"VIGILPAY_ENV": "production", "SECRET_KEY": KEY, "ALLOWED_HOSTS": "bank.example", "DATABASE_URL": BANK}
    done = run(**{**safe, **variables})
    assert done.returncode != 0
    assert said in done.stderr
    assert variables.get("SECRET_KEY", "a key") not in done.stderr
    assert settings_with(**{name: value for name, value in variables.items() if name != "SECRET_KEY"})


@pytest.mark.parametrize("start", [["manage.py", "migrate"], ["-c", "import vigilpay.wsgi"]], ids=["command", "web"])
@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"VIGILPAY_ENV": "production", "SECRET_KEY": KEY, "ALLOWED_HOSTS": "a"}, "DATABASE_URL must be set."),
        ({"SECURE_HSTS_SECONDS": "an hour"}, "SECURE_HSTS_SECONDS is 'an hour': expected a whole number."),
    ],
    ids=["production", "development"],
)
def test_wrong_settings_are_refused_before_a_private_server_is_made(start, variables, said):
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    env = {**kept, **variables, "VIGILPAY_PG_BIN": "/programs/that/would/be/called"}
    done = subprocess.run([sys.executable, *start], cwd=ROOT, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith(said)
    assert ("Traceback" in done.stderr) == (start[0] == "-c")  # the web server's master wants the error itself


def test_a_mode_that_does_not_exist_stops_the_program():
    done = run(VIGILPAY_ENV="prod")
    assert done.returncode != 0
    assert "VIGILPAY_ENV" in done.stderr


@pytest.mark.parametrize(
    "variable", ["VIGILPAY_LOOK_SECONDS", "VIGILPAY_ANALYZE_LOCK_SECONDS", "VIGILPAY_DRAIN_BATCH_ROWS"]
)
def test_a_number_that_is_none_stops_the_program_by_name(variable):
    done = run(**{variable: "soon"})
    assert done.returncode != 0
    assert variable in done.stderr


def test_a_database_url_alone_changes_only_the_database(development):
    with_url = settings_with(DATABASE_URL=BANK)
    assert with_url["DATABASES"]["default"]["HOST"] == "db.bank.example"
    assert {**with_url, "DATABASES": None} == {**development, "DATABASES": None}


@pytest.mark.parametrize("url", ["", BANK])
def test_connections_are_kept_and_their_health_is_looked_at(url):
    database = settings_with(DATABASE_URL=url)["DATABASES"]["default"]
    assert database["ENGINE"] == "django.db.backends.postgresql"
    assert database["CONN_MAX_AGE"] > 0
    assert database["CONN_HEALTH_CHECKS"]


def test_a_job_that_is_retried_is_one_that_can_no_longer_be_running(development):
    queue = development["Q_CLUSTER"]
    assert queue["retry"] > (queue["queue_limit"] / queue["workers"] + 2) * queue["timeout"]


def test_a_failing_job_is_not_run_for_ever(development):
    assert development["Q_CLUSTER"]["ack_failures"]
    assert development["Q_CLUSTER"]["max_attempts"] == 1


def test_the_queue_is_set_up_as_it_was_found_to_work(development):
    """Each of these was measured: acks that fall behind, jobs that pile up, schedules that are made up for."""
    queue = development["Q_CLUSTER"]
    assert (queue["save_limit"], queue["bulk"], queue["catch_up"]) == (-1, 1, False)
    assert isinstance(queue["timeout"], int)
    assert queue["queue_limit"] == queue["workers"]


@pytest.mark.parametrize("url", ["", BANK])
def test_no_pool_is_shared_with_forked_children(url):
    assert "pool" not in settings_with(DATABASE_URL=url)["DATABASES"]["default"].get("OPTIONS", {})


def test_a_drain_ends_well_before_its_job_times_out(development):
    assert development["Q_CLUSTER"]["timeout"] > development["DRAIN_SECONDS"] * 2
    assert development["STALL_SECONDS"] > development["DRAIN_SECONDS"] * 2


def test_the_bands_are_four_quarters_unless_the_bank_says_otherwise(development):
    assert development["RISK_BANDS"] == [0.25, 0.5, 0.75]
    assert settings_with(VIGILPAY_RISK_BANDS="0.1, 0.3, 0.6")["RISK_BANDS"] == [0.1, 0.3, 0.6]


def test_bands_that_do_not_rise_stop_the_start_with_a_clear_message():
    refused = run(VIGILPAY_RISK_BANDS="0.5,0.25,0.75")
    assert refused.returncode != 0
    assert "VIGILPAY_RISK_BANDS is '0.5,0.25,0.75': expected 3 rising numbers between 0 and 1" in refused.stderr


def test_a_broken_model_is_tried_again_within_the_bound_of_staleness(development):
    assert development["LOOK_SECONDS"] <= 5


def test_logins_of_the_bank_come_behind_the_count_of_failures():
    found = settings_with(VIGILPAY_LOGIN_BACKENDS="bank.Oidc", VIGILPAY_LOGIN_MIDDLEWARE="bank.SecondFactor")
    assert found["AUTHENTICATION_BACKENDS"] == [
        *("axes.backends.AxesStandaloneBackend", "bank.Oidc", "django.contrib.auth.backends.ModelBackend")
    ]
    where = found["MIDDLEWARE"].index("bank.SecondFactor")
    assert found["MIDDLEWARE"][where - 1].endswith("AuthenticationMiddleware")
    assert where < found["MIDDLEWARE"].index("vigilpay.web.access.AccessMiddleware")


def test_a_login_lasts_a_working_day_at_most(development):
    assert 8 * 3600 <= development["SESSION_COOKIE_AGE"] <= 12 * 3600
    assert development["SESSION_IDLE_SECONDS"] < development["SESSION_COOKIE_AGE"]


def test_what_a_client_says_of_its_address_counts_only_behind_a_proxy(development):
    assert development["PROXIES"] == 0
    assert settings_with(BEHIND_TLS_PROXY="1")["PROXIES"] == 1
    assert settings_with(BEHIND_TLS_PROXY="1", VIGILPAY_PROXIES="2")["PROXIES"] == 2


def test_web_pages_may_have_another_role_to_store_scores_by():
    scorer = "postgres://scorer:s3cret@db.bank.example/churn?application_name=analyze"
    both = settings_with(DATABASE_URL=BANK, VIGILPAY_SCORER_DATABASE_URL=scorer)
    assert both["SCORER_DATABASE"] == "scorer"
    assert (both["DATABASES"]["scorer"]["USER"], both["DATABASES"]["default"]["USER"]) == ("scorer", "teller")
    assert both["DATABASES"]["scorer"]["OPTIONS"]["application_name"] == "analyze"
    assert both["DATABASES"]["scorer"]["OPTIONS"]["connect_timeout"] == "5"
    assert settings_with(DATABASE_URL=BANK)["SCORER_DATABASE"] == "default"
    assert "scorer" not in settings_with(DATABASE_URL=BANK)["DATABASES"]


def test_an_address_of_that_role_that_cannot_be_read_is_named_without_its_password():
    done = run(DATABASE_URL=BANK, VIGILPAY_SCORER_DATABASE_URL="mysql://scorer:s3cret@db/churn")
    assert "VIGILPAY_SCORER_DATABASE_URL must start with postgres://" in done.stderr
    assert "s3cret" not in done.stderr


def test_a_time_zone_that_does_not_exist_is_refused():
    for name in ("Europe/Atlantis", "../etc/passwd", "Europe"):
        done = run(VIGILPAY_TIME_ZONE=name)
        assert done.returncode != 0
        assert "expected the name of a time zone, such as Europe/Berlin" in done.stderr
    assert settings_with(VIGILPAY_TIME_ZONE="Europe/Berlin")["TIME_ZONE"] == "Europe/Berlin"
