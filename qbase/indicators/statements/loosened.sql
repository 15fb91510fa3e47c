SELECT entity, period, count(*) AS n, count(*) FILTER (is_rejudged AND NOT is_pass) AS k, count(DISTINCT firm) AS n_firms
FROM judged
WHERE is_limited
GROUP BY entity, period
ORDER BY entity, period
