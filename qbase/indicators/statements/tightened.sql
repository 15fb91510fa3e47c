SELECT entity, period, count(*) AS n, count(*) FILTER (is_pass AND NOT is_rejudged) AS k, count(DISTINCT firm) AS n_firms
FROM judged
WHERE is_limited
GROUP BY entity, period
ORDER BY entity, period
