-- Batches of every firm by cluster, town, stratum and quarter: the pieces that all counts of a site are sums of.
-- It starts from what is placed in a town, and takes along what lies in a cluster and in no town on record.
, sizes AS ({sizes})
SELECT
    coalesce(c.cluster_id, '') AS cluster,
    coalesce(c.entity, '') AS town,
    concat(coalesce(c.risk_class, 'unknown'), '|', coalesce(c.size_class, s.size_class, 'unknown')) AS "group",
    c.period,
    coalesce(c.firm, '') AS firm,
    count(*) AS n,
    count(*) FILTER (c.is_pass) AS k
FROM placed AS c
LEFT JOIN sizes AS s ON s.firm_id = c.firm_id
WHERE c.is_first AND (c.entity IS NOT NULL OR c.cluster_id IS NOT NULL)
GROUP BY ALL
ORDER BY ALL
