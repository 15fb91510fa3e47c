-- Batches of every firm by way of drawing: sums that add up over any shards of the inspections.
SELECT
    entity,
    period,
    firm,
    count(*) FILTER (sample_type = 'random') AS random_n,
    count(*) FILTER (sample_type = 'random' AND is_pass) AS random_k,
    count(*) FILTER (sample_type = 'risk') AS risk_n,
    count(*) FILTER (sample_type = 'risk' AND is_pass) AS risk_k,
    count(*) FILTER (sample_type = 'special') AS special_n,
    count(*) FILTER (sample_type = 'special' AND is_pass) AS special_k,
    count(*) FILTER (coalesce(sample_type, '') NOT IN ('random', 'risk', 'special')) AS other_n,
    count(*) FILTER (coalesce(sample_type, '') NOT IN ('random', 'risk', 'special') AND is_pass) AS other_k
FROM counted
GROUP BY entity, period, firm
