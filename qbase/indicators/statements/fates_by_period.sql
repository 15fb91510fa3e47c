-- What every inspection on record is before any firm is asked for, by delivery and period; windows are sums of these.
-- The places are those of fates.sql, where nothing lies outside. Braces are filled in from closed lists.
SELECT
    delivery_sha256 AS delivery,
    CAST({begin of sample_date} AS DATE) AS period,
    CAST(CASE
        WHEN sample_date IS NULL THEN 0
        WHEN role <> 'producer' THEN 2
        WHEN is_recheck OR parent_no IS NOT NULL THEN 3
        WHEN sample_type = 'complaint' THEN 4
        WHEN sample_type = 'followup' THEN 5
        WHEN {other_sampling} THEN 6
        ELSE 7
    END AS UTINYINT) AS fate,
    count(*) AS n
FROM inspections
GROUP BY ALL
