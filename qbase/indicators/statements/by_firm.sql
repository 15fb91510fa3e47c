-- Batches of each firm in its stratum (risk class x size), all and random ones: the firm is the primary sampling unit.
-- A class comes from the inspection, or from the last one before a base date; a size not printed is the register's.
, sizes AS ({sizes}),
classes AS ({classes}),
by_firm AS (
    SELECT
        c.entity,
        c.period,
        c.cluster_id,
        c.firm,
        {risk} AS risk_class,
        {size} AS size_class,
        c.inclusion_probability,
        count(*) AS n,
        count(*) FILTER (c.is_pass) AS k,
        count(*) FILTER (c.sample_type = 'random') AS n_random,
        count(*) FILTER (c.sample_type = 'random' AND c.is_pass) AS k_random,
        count(*) FILTER (c.sample_type = 'risk') AS n_risk
    FROM counted AS c
    LEFT JOIN sizes AS s ON s.firm_id = c.firm_id
    LEFT JOIN classes AS b ON b.firm_id = c.firm_id
    GROUP BY ALL
)
