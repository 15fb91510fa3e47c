-- Batches of the panel by group and firm; what a batch counts as is filled in, and so are the groups.
, sizes AS ({sizes}),
bands AS ({bands}),
hits AS ({hits})
SELECT
    h.entity,
    h.period,
    {groups}
    h.firm,
    count(*) AS n,
    count(*) FILTER (h.is_hit) AS k
FROM hits AS h
LEFT JOIN sizes AS s ON s.firm_id = h.firm_id
LEFT JOIN bands AS b ON b.sample_no = h.sample_no
GROUP BY ALL
ORDER BY ALL
