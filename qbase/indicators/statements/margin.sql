-- One row per firm: the mean and its doubt are made from these sums.
-- In the order of size, as on several threads a sum depends on the order of adding in its last digits.
SELECT entity, period, firm, count(*) AS n, sum(margin ORDER BY margin) AS total,
    sum(margin * margin ORDER BY margin * margin) AS squares
FROM judged
WHERE has_core AND margin IS NOT NULL
GROUP BY entity, period, firm
ORDER BY entity, period, firm
