-- What every inspection on record is to a window, before any firm is asked for; the words are those of inspections.sql.
-- Parameters: first day, last day. What stands in braces is filled in from closed lists.
SELECT
    CASE
        WHEN sample_date IS NULL THEN 'no_date'
        WHEN sample_date NOT BETWEEN CAST(? AS DATE) AND CAST(? AS DATE) THEN 'outside'
        WHEN coalesce(role, 'producer') <> 'producer' THEN 'other_role'
        WHEN coalesce(is_recheck, false) OR parent_no IS NOT NULL THEN 'recheck'
        WHEN sample_type IN ('complaint', 'followup') THEN sample_type
        WHEN {other_sampling} THEN 'other_sampling'
        ELSE 'due'
    END AS fate,
    count(*) AS n
FROM inspections
GROUP BY fate
