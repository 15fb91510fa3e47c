SELECT entity, period, count(*) AS n, count(*) FILTER (is_label_only) AS k, count(DISTINCT firm) AS n_firms
FROM judged
GROUP BY entity, period
ORDER BY entity, period
