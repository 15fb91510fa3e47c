-- Firms inspected, every way of drawing counted, complaints and follow-ups too, and those in which a batch failed;
-- only re-checks stay out.
, visits AS (
    SELECT
        {entity} AS entity,
        date_trunc('{step}', m.sample_date) AS period,
        coalesce(m.matched_id, m.uscc, m.firm_code, m.firm_name) AS firm,
        NOT bool_and(coalesce(m.result = 'pass' OR m.appeal_result = 'overturned', false)) AS has_failed
    FROM matched AS m
    CROSS JOIN LATERAL (
        SELECT m.matched_id AS firm_id, m.matched_cluster AS cluster_id, m.matched_town AS town_code
    ) AS f
    WHERE NOT coalesce(m.is_recheck, false) AND m.parent_no IS NULL
    GROUP BY ALL
)
SELECT entity, period, count(*) AS n, count(*) FILTER (has_failed) AS k, count(*) AS n_firms
FROM visits
WHERE entity IS NOT NULL
GROUP BY entity, period
ORDER BY entity, period
