-- One row per firm: the mean and its doubt are made from these sums.
SELECT entity, period, firm, count(*) AS n, sum(margin) AS total, sum(margin * margin) AS squares
FROM judged
WHERE has_core AND margin IS NOT NULL
GROUP BY entity, period, firm
ORDER BY entity, period, firm
