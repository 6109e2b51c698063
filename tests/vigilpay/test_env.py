from decimal import Decimal

import pytest

from vigilpay import env
from vigilpay.env import SettingError


@pytest.fixture
def setting(monkeypatch):
    """Set the variable NAME; without a call it is not set."""
    monkeypatch.delenv("NAME", raising=False)
    return lambda value: monkeypatch.setenv("NAME", value)


def test_defaults_hold_while_the_variable_is_unset_or_empty(setting):
    for value in (None, "", "  "):
        if value is not None:
            setting(value)
        assert env.text("NAME", "x") == "x"
        assert env.flag("NAME", True) is True
        assert env.integer("NAME", 7) == 7
        assert env.number("NAME", 0.25) == 0.25
        assert env.seconds("NAME", 0.5) == 0.5
        assert env.choice("NAME", ["a", "b"], "b") == "b"
        assert env.words("NAME", ["a", "b"]) == ["a", "b"]
        assert env.thresholds("NAME", [0.1, 0.5]) == [0.1, 0.5]
        assert env.words("NAME") == []


def test_a_text_without_default_is_required(setting):
    with pytest.raises(SettingError, match="NAME must be set"):
        env.text("NAME")


@pytest.mark.parametrize(
    ("value", "expected"),
    [("1", True), ("true", True), ("YES", True), ("On", True), ("0", False), ("False", False), ("no", False)],
)
def test_flags(setting, value, expected):
    setting(value)
    assert env.flag("NAME", not expected) is expected


def test_numbers(setting):
    setting(" 12 ")
    assert env.integer("NAME", 0) == 12
    assert env.seconds("NAME", 0) == 12.0
    setting("-3")
    assert env.integer("NAME", 0) == -3
    setting("0.25")
    assert env.seconds("NAME", 1) == 0.25
    assert env.number("NAME", 1) == 0.25


def test_a_share_is_below_its_limit(setting):
    setting("0.05")
    assert env.share("NAME", 0.0, below=0.5) == 0.05
    for value in ("0.5", "1", "-0.1", "nan", "5%"):
        setting(value)
        with pytest.raises(SettingError, match=r"expected a share from 0 to less than 0\.5, such as 0\.05"):
            env.share("NAME", 0.0, below=0.5)


def test_thresholds_rise(setting):
    setting(" 0.1, .5,0.99 ")
    assert env.thresholds("NAME", (0.25, 0.5, 0.75)) == [0.1, 0.5, 0.99]


@pytest.mark.parametrize(
    "value",
    ["0.5", "0.1,0.2", "0.1,0.2,0.3,0.4", "0.3,0.2,0.1", "0.2,0.2,0.3", "0,0.2,0.3", "0.1,0.2,1", "-1,0.2,0.3",
     "0.1,nan,0.3", "0.1,0.2,inf", "low,high,higher", "0.1,,0.3", "0.1;0.2;0.3", "25%,50%,75%"],
)  # fmt: skip
def test_thresholds_that_do_not_are_refused(setting, value):
    setting(value)
    with pytest.raises(SettingError, match=r"NAME is .*: expected 3 rising numbers between 0 and 1, such as 0.2,0.5"):
        env.thresholds("NAME", (0.2, 0.5, 0.8))


def test_bounds_are_numbers_by_field_and_may_be_negative(setting):
    setting(" age=16-120, balance=-50000.50--10 ,")
    ends = {"age": (Decimal(16), Decimal(120)), "balance": (Decimal("-50000.50"), Decimal(-10))}
    assert env.bounds("NAME") == ends
    setting("")
    assert env.bounds("NAME") == {}


@pytest.mark.parametrize("value", ["age", "age=16", "age=16-", "age=16-x", "age=1-2,age=1-3", "age=1e3-2", "Age=1-2"])
def test_bounds_that_cannot_be_read_are_refused(setting, value):
    setting(value)
    with pytest.raises(SettingError, match=r"NAME is .*: expected bounds by field, each once, such as age=16-120"):
        env.bounds("NAME")


def test_words_drop_blanks_and_empty_words(setting):
    setting(" a, b ,,c ")
    assert env.words("NAME") == ["a", "b", "c"]


def test_words_may_have_to_be_among_others_and_none_of_them_is_a_word_of_its_own(setting):
    setting("age, gender")
    assert env.words("NAME", ["age"], among=("age", "gender")) == ["age", "gender"]
    setting("none")
    assert env.words("NAME", ["age"], among=("age", "gender")) == []


@pytest.mark.parametrize(
    ("read", "value", "expected"),
    [
        (lambda: env.words("NAME", ["age"], among=("age", "gender")), "age,country", "none, or words of age, gender"),
        (lambda: env.words("NAME", ["age"], among=("age", "gender")), "none,age", "none, or words of age, gender"),
        (lambda: env.flag("NAME", False), "ja", "one of 1, true"),
        (lambda: env.integer("NAME", 0), "1_000", "a whole number"),
        (lambda: env.integer("NAME", 0), "1.5", "a whole number"),
        (lambda: env.integer("NAME", 1, minimum=1), "0", "a whole number, at least 1"),
        (lambda: env.integer("NAME", 1, minimum=1, maximum=9), "10", "at least 1, at most 9"),
        (lambda: env.number("NAME", 1), "much", "a number, 0 or more"),
        (lambda: env.number("NAME", 1), "-0.1", "a number, 0 or more"),
        (lambda: env.seconds("NAME", 1), "soon", "a number of seconds"),
        (lambda: env.seconds("NAME", 1), "-1", "a number of seconds"),
        (lambda: env.seconds("NAME", 1), "nan", "a number of seconds"),
        (lambda: env.seconds("NAME", 1), "inf", "a number of seconds"),
        (lambda: env.choice("NAME", ["development", "production"], "development"), "prod", "development, production"),
    ],
)
def test_an_error_names_the_variable_its_value_and_what_is_expected(setting, read, value, expected):
    setting(value)
    with pytest.raises(SettingError, match=f"NAME is '{value}': expected.*{expected}"):
        read()


def database(**settings):
    blank = {"NAME": "bank", "USER": "", "PASSWORD": "", "HOST": "", "PORT": "", "OPTIONS": {}}
    return {"ENGINE": "django.db.backends.postgresql", **blank, **settings}


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgres://ann:pw@db:5433/bank", database(USER="ann", PASSWORD="pw", HOST="db", PORT="5433")),
        ("postgresql://ann@db/bank", database(USER="ann", HOST="db")),
        ("postgres://ann:@db/bank", database(USER="ann", HOST="db")),
        ("postgres:///bank", database()),
        ("  postgres:///bank\n", database()),
        ("postgres://a%40b:p%2F%23%3A@db/my%20bank", database(NAME="my bank", USER="a@b", PASSWORD="p/#:", HOST="db")),
        ("postgres://ann:p@ss:word@db/bank", database(USER="ann", PASSWORD="p@ss:word", HOST="db")),
        ("postgres:///bank?host=/var/run/Pg", database(HOST="/var/run/Pg")),
        ("postgres://%2Fvar%2Frun%2FPg/bank", database(HOST="/var/run/Pg")),
        ("postgres://ann@[::1]:5433/bank", database(USER="ann", HOST="::1", PORT="5433")),
        (
            "postgresql://u:p@h1:5432,h2:5433/bank?target_session_attrs=read-write",
            database(
                USER="u", PASSWORD="p", HOST="h1,h2", PORT="5432,5433", OPTIONS={"target_session_attrs": "read-write"}
            ),
        ),
        ("postgres://h1,h2/bank", database(HOST="h1,h2")),
        ("postgres://h1:5433,h2/bank", database(HOST="h1,h2", PORT="5433,")),
        (
            "postgres://ann@[::1]:5433,[fe80::1%25eth0]/bank",
            database(USER="ann", HOST="::1,fe80::1%eth0", PORT="5433,"),
        ),
        ("postgres://%2Frun%2Fa,%2Frun%2Fb:5433/bank", database(HOST="/run/a,/run/b", PORT=",5433")),
        ("postgres:///bank?host=/run/a,/run/b&port=5432", database(HOST="/run/a,/run/b", PORT="5432")),
        ("postgresql:///?service=churn", database(NAME="", OPTIONS={"service": "churn"})),
        (
            "postgresql://ann:pw@/?service=churn",
            database(NAME="", USER="ann", PASSWORD="pw", OPTIONS={"service": "churn"}),
        ),
        ("postgres://db/?dbname=bank&user=ann&port=5433", database(USER="ann", HOST="db", PORT="5433")),
        (
            "postgres://db/bank?sslmode=verify-full&options=-c%20a=b+c",
            database(HOST="db", OPTIONS={"sslmode": "verify-full", "options": "-c a=b+c"}),
        ),
    ],
)
def test_database_url(url, expected):
    assert env.database_url(url) == expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("", "must start with postgres://"),
        ("s3cret", "must start with postgres://"),
        ("mysql://ann:s3cret@db/bank", "must start with postgres://"),
        ("postgresql+psycopg://ann:s3cret@db/bank", "must start with postgres://"),
        ("postgres://ann:s3cret@db", "names no database"),
        ("postgres://ann:s3cret@db/", "names no database"),
        ("postgres://ann:s3cret@db:99999/bank", "port must be a number"),
        ("postgres://ann:s3cret@db/bank?port=http", "port must be a number"),
        ("postgres://ann:s3cret@db:http/bank", "percent-encoded"),
        ("postgres://ann:12/s3cret@db/bank", "percent-encoded"),
        ("postgres://ann:12#s3cret@db/bank", "percent-encoded"),
        ("postgres://ann:s3cret@[::1/bank", "percent-encoded"),
        ("postgres://ann:s3cret@h1:1,h2:x/bank", "percent-encoded"),
        ("postgres://ann:s3cret@h1:1,h2:99999/bank", "port must be a number"),
        ("postgres://ann:s3cret@h1,h2/bank?port=1,2,3", "2 hosts and 3 ports"),
        ("postgres://ann:s3cret@db/bank?pgbouncer=true", "parameter pgbouncer, which is Prisma's"),
        ("postgres://ann:s3cret@db/bank?schema=public", "parameter 'schema', which PostgreSQL does not know"),
        ("postgres://ann:s3cret@db/bank?conn_max_age=60&x=s3cret", "parameter 'conn_max_age'"),
        ("postgres://ann:s3cret@db/bank?12s3cret!", "parameter that cannot be read"),
        ("postgres://ann:s3cret@db/bank?connect_timeout=s3cret", "connect_timeout that is no whole number"),
        ("postgres://ann:s3cret@db/bank?target_session_attrs=master", "none of any, read-write"),
        ("postgres://ann:s3cret@db/bank?sslmode=on", "sslmode that is none of disable, allow"),
    ],
)
def test_a_wrong_database_url_is_refused_without_showing_the_password(url, expected):
    with pytest.raises(SettingError, match=f"DATABASE_URL .*({expected})") as caught:
        env.database_url(url)
    assert "s3cret" not in str(caught.value)
    # Neither may a traceback show it through the error that ours came from.
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_dotenv_lines(tmp_path):
    path = tmp_path / ".env"
    path.write_text(
        "# a comment\n"
        "\n"
        "PLAIN=a b # said aside\n"
        "  export EXPORTED = x\n"
        "DOUBLE=\"with # and 'quotes'\"\n"
        "SINGLE='a=b'\n"
        "HASH=a#b\n"
        "EMPTY=\n"
    )
    assert env.read_dotenv(path) == {
        "PLAIN": "a b",
        "EXPORTED": "x",
        "DOUBLE": "with # and 'quotes'",
        "SINGLE": "a=b",
        "HASH": "a#b",
        "EMPTY": "",
    }


def test_a_dotenv_line_that_cannot_be_read_is_named_but_not_shown(tmp_path):
    (tmp_path / ".env").write_text("A=1\ns3cret\n")
    with pytest.raises(SettingError, match=r"\.env, line 2: expected KEY=VALUE") as caught:
        env.load_dotenv(tmp_path / ".env", {})
    assert "s3cret" not in str(caught.value)


def test_the_real_environment_wins_over_dotenv(tmp_path):
    (tmp_path / ".env").write_text("A=file\nB=file\n")
    environment = {"A": "real"}
    env.load_dotenv(tmp_path / ".env", environment)
    env.load_dotenv(tmp_path / "absent", environment)
    assert environment == {"A": "real", "B": "file"}
