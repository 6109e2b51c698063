"""A program of the bank's that keeps a copy of the scores by the feed, as docs/api.md tells it to. Plain Python.

    python copying_program.py ADDRESS COPY [until-quiet]

Copy and position are kept together in one SQLite transaction, so that it may be killed at any moment.
"""

import json
import sqlite3
import sys
import time
from urllib.error import HTTPError
from urllib.request import urlopen

TABLES = """
CREATE TABLE IF NOT EXISTS score (customer_id INTEGER PRIMARY KEY, score REAL, version INTEGER);
CREATE TABLE IF NOT EXISTS position (next TEXT);
"""


def ask(address):
    with urlopen(address, timeout=30) as answer:
        return json.load(answer)


def keep(copy, entries, position):
    with copy:
        for entry in entries:
            if entry.get("deleted") or entry["churn_risk_score"] is None:
                copy.execute("DELETE FROM score WHERE customer_id = ?", [entry["customer_id"]])
            else:
                values = [entry["customer_id"], entry["churn_risk_score"], entry["version"]]
                copy.execute("INSERT OR REPLACE INTO score VALUES (?, ?, ?)", values)
        copy.execute("DELETE FROM position")
        copy.execute("INSERT INTO position VALUES (?)", [position])


def begin(base, copy):
    """Read all customers, after the position from which their changes will be read."""
    position = ask(f"{base}/customers/changes/")["next"]
    entries, after = [], None
    while True:
        page = ask(f"{base}/customers/at-risk/?limit=500" + (f"&after={after}" if after else ""))
        entries += page["customers"]
        after = page["next"]
        if after is None:
            break
    with copy:
        copy.execute("DELETE FROM score")
    keep(copy, entries, position)


def go_on(base, copy, position):
    """Read what has changed; whether there was anything, or something is still to come."""
    page = ask(f"{base}/customers/changes/?limit=100&after={position}")
    keep(copy, page["changes"], page["next"])
    return page["more"] or page["changes"] or page["waiting_since"]


def main(base, path, until_quiet):
    copy = sqlite3.connect(path)
    copy.executescript(TABLES)
    while True:
        kept = copy.execute("SELECT next FROM position").fetchone()
        try:
            if kept is None:
                begin(base, copy)
            elif not go_on(base, copy, kept[0]):
                if until_quiet:
                    return
                time.sleep(0.01)
        except HTTPError as error:
            if error.code != 410:
                raise
            with copy:
                copy.execute("DELETE FROM position")


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], sys.argv[3:] == ["until-quiet"])
