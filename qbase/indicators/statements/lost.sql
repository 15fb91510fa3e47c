-- First inspections that belong to no entity, by why.
SELECT fate, count(*) AS n
FROM placed
WHERE is_first AND entity IS NULL AND NOT ({other_sampling})
GROUP BY fate
