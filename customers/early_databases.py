"""Databases of the first commits. Their first migration was changed after it had run, and later ones rely on that.

None is changed any more (``tests/test_frozen_migrations.py``); this makes up for the one time that matters.
"""

import json
from typing import Any

from django.db import connections, transaction

from customers.ml_service.forest.encoding import Encodings
from customers.ml_service.forest.forest import fingerprint_of

LACKS_FINGERPRINTS = """
SELECT to_regclass('customers_modelrelease') IS NOT NULL AND NOT EXISTS (
    SELECT FROM pg_attribute
    WHERE attrelid = to_regclass('customers_modelrelease') AND attname = 'fingerprint' AND NOT attisdropped
)
"""
ADD = "ALTER TABLE customers_modelrelease ADD COLUMN fingerprint varchar(64) NOT NULL DEFAULT ''"
AS_MIGRATED = "ALTER TABLE customers_modelrelease ALTER COLUMN fingerprint DROP DEFAULT"
RELEASES = "SELECT id, sha256, (metadata -> 'encodings')::text FROM customers_modelrelease"
SET_FINGERPRINT = "UPDATE customers_modelrelease SET fingerprint = %s WHERE id = %s"


def mend(using: str, **kwargs: Any) -> None:
    """Before migrating: give the releases their fingerprints, where the table was made without any."""
    with transaction.atomic(using), connections[using].cursor() as cursor:
        cursor.execute(LACKS_FINGERPRINTS)
        if not cursor.fetchone()[0]:
            return
        cursor.execute(ADD)
        cursor.execute(RELEASES)
        for release, sha256, encodings in cursor.fetchall():
            codes = Encodings.from_metadata(json.loads(encodings)) if encodings else Encodings()
            cursor.execute(SET_FINGERPRINT, [fingerprint_of(sha256, codes), release])
        cursor.execute(AS_MIGRATED)
