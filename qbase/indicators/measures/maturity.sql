-- Every first inspection of the window by how far its result has come on day $as_of.
, stated AS (
    SELECT
        c.entity,
        c.period,
        c.is_pass,
        CASE
            WHEN c.result IS NULL THEN 'sampled'
            WHEN c.appeal_result = 'pending' THEN 'objection'
            WHEN c.notice_no IS NULL OR coalesce(n.publish_date > CAST('{as_of}' AS DATE), false) THEN 'tested'
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
