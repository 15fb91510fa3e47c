-- Items of first inspections by product: in how many batches each was tested, and in how many it failed.
-- An item of a batch that passed, or whose failure was overturned, has not failed; see judged batches in items.sql.
, tested AS (
    SELECT
        c.entity,
        c.product_name AS product,
        t.item_name AS item,
        regexp_matches(t.item_name, '标识|标志|标签|说明书|包装|(?i:label|marking)') AS is_label,
        c.sample_no,
        any_value(c.firm) AS firm,
        bool_or(NOT coalesce(t.is_ok, true) AND NOT c.is_pass) AS is_failed
    FROM counted AS c
    JOIN items AS t USING (sample_no)
    GROUP BY ALL
)
SELECT
    entity,
    product,
    item,
    is_label,
    count(*) AS n,
    count(*) FILTER (is_failed) AS k,
    count(DISTINCT firm) FILTER (is_failed) AS n_firms
FROM tested
GROUP BY ALL
ORDER BY ALL
