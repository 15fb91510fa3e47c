-- Every inspection of the window, the firm it belongs to, and why it counts or does not.
-- Parameters: first day, last day. What stands in braces is filled in from closed lists.
-- A code or name that fits several firms fits none: counting it twice would be worse than not at all.
WITH registered AS MATERIALIZED (SELECT *, row_number() OVER () AS firm_no FROM ({firms})),
by_uscc AS (
    SELECT uscc, any_value(firm_id) AS firm_id, any_value(firm_no) AS firm_no,
        any_value(cluster_id) AS cluster_id, any_value(town_code) AS town_code
    FROM registered WHERE uscc IS NOT NULL GROUP BY uscc HAVING count(*) = 1
),
by_name AS (
    SELECT firm_name, any_value(firm_id) AS firm_id, any_value(firm_no) AS firm_no,
        any_value(cluster_id) AS cluster_id, any_value(town_code) AS town_code
    FROM registered GROUP BY firm_name HAVING count(*) = 1
),
decided AS ({links}),
matched AS (
    SELECT
        i.*,
        coalesce(l.firm_id, u.firm_id, c.firm_id, n.firm_id) AS matched_id,
        -- a number of this query only: ten million of them are sorted faster than names
        coalesce(l.firm_no, u.firm_no, c.firm_no, n.firm_no) AS matched_no,
        coalesce(l.cluster_id, u.cluster_id, c.cluster_id, n.cluster_id) AS matched_cluster,
        coalesce(l.town_code, u.town_code, c.town_code, n.town_code) AS matched_town,
        CASE
            WHEN l.firm_id IS NOT NULL THEN 'link'
            WHEN u.firm_id IS NOT NULL THEN 'uscc'
            WHEN c.firm_id IS NOT NULL THEN 'firm_code'
            WHEN n.firm_id IS NOT NULL THEN 'firm_name'
        END AS matched_by,
        coalesce(d.decision = 'doubt', false) AS is_doubtful
    -- a lake into which no delivery ever brought one of these columns has it as empty
    FROM (
        SELECT NULL::VARCHAR AS role, NULL::VARCHAR AS parent_no WHERE false UNION ALL BY NAME SELECT * FROM inspections
    ) AS i
    LEFT JOIN by_uscc AS u ON u.uscc = i.uscc
    -- a later key is tried only where the earlier ones found nothing: on ten million rows this halves the time
    LEFT JOIN registered AS c ON c.firm_id = CASE WHEN u.firm_id IS NULL THEN i.firm_code END
    LEFT JOIN decided AS d ON d.sample_no = i.sample_no AND d.name_printed = i.firm_name
        AND (i.uscc IS NULL OR d.uscc_printed = i.uscc)
    LEFT JOIN registered AS l ON d.decision = 'accept' AND l.firm_id = d.firm_id
    -- whom a person refused, or a rule doubts, is not found again by the name
    LEFT JOIN by_name AS n
        ON n.firm_name = CASE WHEN u.firm_id IS NULL AND c.firm_id IS NULL THEN i.firm_name END
        AND coalesce(d.decision, 'none') = 'none'
    WHERE i.sample_date BETWEEN CAST(? AS DATE) AND CAST(? AS DATE)
),
placed AS (
    SELECT
        {entity} AS entity,
        date_trunc('{step}', m.sample_date) AS period,
        m.sample_type,
        m.matched_by,
        m.is_doubtful,
        m.matched_no AS firm_no,
        {more}
        -- an unregistered firm is still one contributor
        coalesce(m.matched_id, m.uscc, m.firm_code, m.firm_name) AS firm,
        coalesce(m.result = 'pass' OR m.appeal_result = 'overturned', false) AS is_pass,
        coalesce(m.result = 'fail' AND m.appeal_result = 'overturned', false) AS is_overturned,
        CASE
            -- who ordered the goods or sold them did not make them; empty means the producer on the label
            WHEN coalesce(m.role, 'producer') <> 'producer' THEN 'other_role'
            WHEN coalesce(m.is_recheck, false) OR m.parent_no IS NOT NULL THEN 'recheck'
            WHEN m.sample_type IN ('complaint', 'followup') THEN m.sample_type
            WHEN {entity} IS NULL THEN 'unmatched'
            ELSE 'counted'
        END AS fate
    FROM matched AS m
    CROSS JOIN LATERAL (
        SELECT m.matched_id AS firm_id, m.matched_cluster AS cluster_id, m.matched_town AS town_code
    ) AS f
),
counted AS (SELECT * FROM placed WHERE fate = 'counted')
