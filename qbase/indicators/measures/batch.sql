SELECT entity, period, count(*) AS n, count(*) FILTER (is_pass) AS k, count(DISTINCT firm) AS n_firms
FROM counted
GROUP BY entity, period
ORDER BY entity, period
