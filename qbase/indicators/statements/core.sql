SELECT entity, period, count(*) AS n, count(*) FILTER (is_core_pass) AS k, count(DISTINCT firm) AS n_firms
FROM judged
WHERE has_core
GROUP BY entity, period
ORDER BY entity, period
