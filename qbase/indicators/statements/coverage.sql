SELECT
    fate,
    count(*) AS n,
    count(*) FILTER (is_overturned) AS overturned,
    count(*) FILTER (matched_by IN ('firm_name', 'link')) AS by_name,
    count(*) FILTER (is_doubtful) AS doubtful
FROM placed
GROUP BY fate
ORDER BY fate
