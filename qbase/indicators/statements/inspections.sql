-- Every inspection of the window, the firm it belongs to, and why it counts or does not.
-- Parameters: first day, last day. What stands in braces is filled in from closed lists.
-- A code or name that fits several firms fits none: counting it twice would be worse than not at all.
WITH registered AS MATERIALIZED ({firms}),
by_uscc AS (
    SELECT * FROM registered
    WHERE uscc IS NOT NULL AND uscc NOT IN (
        SELECT uscc FROM registered WHERE uscc IS NOT NULL GROUP BY uscc HAVING count(*) > 1
    )
),
by_name AS (
    SELECT * FROM registered
    WHERE firm_name IS NOT NULL AND firm_name NOT IN (
        SELECT firm_name FROM registered WHERE firm_name IS NOT NULL GROUP BY firm_name HAVING count(*) > 1
    )
),
decided AS ({links}),
matched AS (
    SELECT
        i.*,
        coalesce(d.firm_id, u.firm_id, c.firm_id, n.firm_id) AS matched_id,
        -- a number of this query only: ten million of them are sorted faster than names
        coalesce(d.firm_no, u.firm_no, c.firm_no, n.firm_no) AS matched_no,
        -- where the firm lies is asked of the firm that was found: of the later keys only one is ever tried
        CASE WHEN d.firm_no IS NULL THEN coalesce(u.cluster_id, c.cluster_id, n.cluster_id) ELSE d.cluster_id END
            AS matched_cluster,
        CASE WHEN d.firm_no IS NULL THEN coalesce(u.town_code, c.town_code, n.town_code) ELSE d.town_code END
            AS matched_town,
        CASE
            WHEN d.firm_id IS NOT NULL THEN 'link'
            WHEN u.firm_id IS NOT NULL THEN 'uscc'
            WHEN c.firm_id IS NOT NULL THEN 'firm_code'
            WHEN n.firm_id IS NOT NULL THEN 'firm_name'
        END AS matched_by,
        coalesce(d.decision = 'doubt', false) AS is_doubtful
    {matching}
    WHERE i.sample_date BETWEEN CAST(? AS DATE) AND CAST(? AS DATE)
),
placed AS (
    SELECT
        {entity} AS entity,
        {begin of m.sample_date} AS period,
        m.sample_type,
        m.matched_by,
        m.is_doubtful,
        m.matched_no AS firm_no,
        {more}
        -- an unregistered firm is still one contributor
        coalesce(m.matched_id, m.uscc, m.firm_code, m.firm_name) AS firm,
        coalesce(m.result = 'pass' OR m.appeal_result = 'overturned', false) AS is_pass,
        coalesce(m.result = 'fail' AND m.appeal_result = 'overturned', false) AS is_overturned,
        -- plain conditions reach the scan: what does not count is never matched
        coalesce(m.role, 'producer') = 'producer' AND NOT coalesce(m.is_recheck, false) AND m.parent_no IS NULL
            AND coalesce(m.sample_type, '') NOT IN ('complaint', 'followup') AS is_first,
        CASE
            -- who ordered the goods or sold them did not make them; empty means the producer on the label
            WHEN coalesce(m.role, 'producer') <> 'producer' THEN 'other_role'
            WHEN coalesce(m.is_recheck, false) OR m.parent_no IS NOT NULL THEN 'recheck'
            WHEN m.sample_type IN ('complaint', 'followup') THEN m.sample_type
            WHEN {entity} IS NOT NULL THEN 'counted'
            WHEN m.matched_id IS NOT NULL THEN 'no_place'
            WHEN m.is_doubtful THEN 'waiting'
            ELSE 'no_firm'
        END AS fate
    FROM matched AS m
    CROSS JOIN LATERAL (
        SELECT m.matched_id AS firm_id, m.matched_cluster AS cluster_id, m.matched_town AS town_code
    ) AS f
),
counted AS (SELECT * FROM placed WHERE is_first AND entity IS NOT NULL)
