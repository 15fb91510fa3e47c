-- Every first inspection of the window by how far its result has come on day $as_of. An entity of which no inspection
-- names a notice does not record publication: its results are final when they are there.
, stated AS (
    SELECT
        c.entity,
        c.period,
        c.is_pass,
        CASE
            WHEN c.result IS NULL OR c.sample_date > CAST('{as_of}' AS DATE) THEN 'sampled'
            WHEN c.appeal_result = 'pending' THEN 'objection'
            WHEN c.notice_no IS NULL AND bool_or(c.notice_no IS NOT NULL) OVER (PARTITION BY c.entity) THEN 'tested'
            WHEN n.publish_date > CAST('{as_of}' AS DATE) THEN 'tested'
            ELSE 'final'
        END AS state
    FROM counted AS c
    LEFT JOIN ({notices}) AS n ON n.notice_no = c.notice_no
)
SELECT
    entity,
    period,
    count(*) FILTER (state = 'sampled') AS n_sampled,
    count(*) FILTER (state = 'tested') AS n_tested,
    count(*) FILTER (state = 'objection') AS n_objection,
    count(*) FILTER (state = 'final') AS n_final,
    count(*) FILTER (state = 'final' AND is_pass) AS k_final
FROM stated
GROUP BY entity, period
ORDER BY entity, period
