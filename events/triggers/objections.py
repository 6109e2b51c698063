"""What an objection to profiling takes away beside the customer's row: SQL for ``events/triggers/definitions.py``.

Contacts and claims of worklists have the score of their moment, and recent moves a former one. An open claim ends. A
shadow score goes; the note has the job that scores in shadow look again, which may have read the customer before.
"""

# Of the rows ``former`` to ``changed``, run only where one of these has an objection: other edits pay nothing.
OBJECTORS = """SELECT array_agg(customer_id) INTO objectors FROM (
            SELECT customer_id FROM changed WHERE objected_at IS NOT NULL
            EXCEPT SELECT customer_id FROM former WHERE objected_at IS NOT NULL) AS objecting;"""

FORGET = """IF objectors IS NOT NULL THEN
            UPDATE @schema@.customers_contact SET score = NULL, reason_codes = NULL, release_id = NULL
            WHERE customer_id = ANY (objectors) AND num_nonnulls(score, reason_codes, release_id) > 0;
            UPDATE @schema@.customers_worklistitem
            SET done_at = COALESCE(done_at, statement_timestamp()), score = NULL, value_at_risk = NULL
            WHERE customer_id = ANY (objectors);
            DELETE FROM @schema@.customers_recentmove WHERE customer_id = ANY (objectors);
            DELETE FROM @schema@.customers_shadowscore WHERE customer_id = ANY (objectors);
            INSERT INTO @schema@.customers_shadowwait (customer_ids)
            SELECT objectors WHERE EXISTS (SELECT FROM @schema@.customers_shadowrun WHERE is_on);
        END IF;"""
