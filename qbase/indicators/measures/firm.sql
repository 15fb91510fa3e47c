, firms_tested AS (SELECT entity, period, firm, bool_and(is_pass) AS is_clean FROM counted GROUP BY entity, period, firm)
SELECT entity, period, count(*) AS n, count(*) FILTER (is_clean) AS k, count(*) AS n_firms
FROM firms_tested
GROUP BY entity, period
ORDER BY entity, period
