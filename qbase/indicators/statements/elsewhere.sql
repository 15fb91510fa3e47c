-- elsewhere
-- First batches by where they were drawn, by whom it was ordered and whose they are; the batch, not the item, counts.
SELECT
    entity, coalesce(domain, 'unknown') AS domain, coalesce(level, 'unknown') AS level, firm,
    min(coalesce(firm_name, firm)) AS firm_name, count(*) AS n, count(*) FILTER (NOT is_pass) AS k
FROM counted
GROUP BY entity, domain, level, firm
ORDER BY entity, domain, level, firm
