-- What every inspection on record is to a window, before any firm is asked for, as the place in a list of words; numbers
-- are grouped twice as fast as the words. Parameters: first day, last day. Braces are filled in from closed lists.
SELECT
    CAST(CASE
        WHEN sample_date IS NULL THEN 0
        WHEN sample_date NOT BETWEEN CAST($first_day AS DATE) AND CAST($last_day AS DATE) THEN 1
        WHEN role <> 'producer' THEN 2
        WHEN is_recheck OR parent_no IS NOT NULL THEN 3
        WHEN sample_type = 'complaint' THEN 4
        WHEN sample_type = 'followup' THEN 5
        WHEN {other_sampling} THEN 6
        ELSE 7
    END AS UTINYINT) AS fate,
    count(*) AS n
FROM inspections
GROUP BY fate
