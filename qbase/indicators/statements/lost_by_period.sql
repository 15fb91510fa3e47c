-- First inspections that belong to no entity, by period and why.
SELECT CAST(period AS DATE) AS period, fate, count(*) AS n
FROM placed
WHERE is_first AND entity IS NULL AND NOT ({other_sampling})
GROUP BY ALL
