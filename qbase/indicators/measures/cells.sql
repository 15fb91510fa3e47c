-- Batches by way of drawing; top1 and top2 are the largest two contributions of one firm.
, by_firm AS (
    SELECT entity, period, sample_type, firm, count(*) AS n, count(*) FILTER (is_pass) AS k
    FROM counted
    GROUP BY entity, period, sample_type, firm
)
SELECT
    entity,
    period,
    sample_type AS stratum,
    CASE sample_type WHEN 'random' THEN 'random' ELSE 'directed' END AS sampling,
    CAST(sum(n) AS BIGINT) AS n,
    CAST(sum(k) AS BIGINT) AS k,
    count(*) AS n_firms,
    max(n) AS top1,
    coalesce(list_sort(list(n), 'DESC')[2], 0) AS top2
FROM by_firm
GROUP BY entity, period, sample_type
ORDER BY entity, period, sample_type
