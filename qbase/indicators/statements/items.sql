-- One yardstick for the whole snapshot, whatever the window: limits, core and scale of every item of a product.
, first_items AS (
    SELECT
        i.sample_no,
        i.product_name,
        t.item_name,
        coalesce(t.unit_code, '') AS unit_code,
        i.sample_date,
        year(i.sample_date) AS year_no,
        t.value,
        t.lower_limit,
        t.upper_limit,
        coalesce(t.is_ok, true) AS is_ok
    FROM items AS t
    JOIN inspections AS i USING (sample_no)
    WHERE NOT coalesce(i.is_recheck, false) AND i.sample_type NOT IN ('complaint', 'followup')
),
newest AS (
    SELECT product_name, item_name, unit_code, max(sample_date) AS newest_date
    FROM first_items
    GROUP BY product_name, item_name, unit_code
),
-- the limits used most in the base year, or in the last year an item was tested; of equals the strictest
used_limits AS (
    SELECT product_name, item_name, unit_code, lower_limit, upper_limit, count(*) AS times
    FROM first_items
    JOIN newest USING (product_name, item_name, unit_code)
    WHERE {limits_of}
    GROUP BY product_name, item_name, unit_code, lower_limit, upper_limit
),
fixed_limits AS (
    SELECT product_name, item_name, unit_code, lower_limit AS fixed_lower, upper_limit AS fixed_upper
    FROM used_limits
    QUALIFY row_number() OVER (
        PARTITION BY product_name, item_name, unit_code
        ORDER BY times DESC, lower_limit DESC NULLS LAST, upper_limit ASC NULLS LAST
    ) = 1
),
scales AS (
    SELECT product_name, item_name, unit_code, stddev_samp(value ORDER BY value) AS scale
    FROM first_items
    GROUP BY product_name, item_name, unit_code
),
-- core: tested in nine of ten batches of its product in the base year, or in every year the product was tested
product_years AS (
    SELECT product_name, year_no, count(DISTINCT sample_no) AS batches
    FROM first_items
    WHERE {core_of}
    GROUP BY product_name, year_no
),
item_years AS (
    SELECT product_name, item_name, year_no, count(DISTINCT sample_no) AS batches
    FROM first_items
    GROUP BY product_name, item_name, year_no
),
core AS (
    SELECT p.product_name, i.item_name
    FROM product_years AS p
    JOIN item_years AS i USING (product_name, year_no)
    GROUP BY p.product_name, i.item_name
    HAVING min(i.batches / p.batches) >= 0.9
        AND count(*) = (SELECT count(*) FROM product_years AS q WHERE q.product_name = p.product_name)
),
core_sizes AS (SELECT product_name, count(*) AS core_count FROM core GROUP BY product_name),
measured AS (
    SELECT
        f.*,
        c.item_name IS NOT NULL AS is_core,
        l.product_name IS NOT NULL AS is_limited,
        coalesce(f.value >= l.fixed_lower, true) AND coalesce(f.value <= l.fixed_upper, true) AS is_within,
        regexp_matches(f.item_name, '标识|标志|标签|说明书|包装|(?i:label|marking)') AS is_label,
        least((f.value - l.fixed_lower) / nullif(s.scale, 0), (l.fixed_upper - f.value) / nullif(s.scale, 0)) AS margin
    FROM first_items AS f
    LEFT JOIN fixed_limits AS l USING (product_name, item_name, unit_code)
    JOIN scales AS s USING (product_name, item_name, unit_code)
    LEFT JOIN core AS c USING (product_name, item_name)
),
by_batch AS (
    SELECT
        sample_no,
        any_value(product_name) AS product_name,
        bool_or(is_limited) AS is_limited,
        bool_and(is_ok) AS is_every_ok,
        bool_and(is_within) AS is_every_within,
        count(DISTINCT item_name) FILTER (is_core) AS core_tested,
        bool_and(is_within) FILTER (is_core) AS is_core_within,
        coalesce(bool_or(NOT is_ok AND NOT is_label), false) AS has_severe,
        coalesce(bool_or(NOT is_ok AND is_label), false) AS has_label,
        -- one slip of the decimal point must not carry a quarter
        greatest(-5, least(5, min(margin) FILTER (is_core))) AS margin
    FROM measured
    GROUP BY sample_no
),
judged AS (
    SELECT
        c.entity,
        c.period,
        c.firm,
        b.is_limited,
        -- a failure that no item shows keeps its verdict
        c.is_pass,
        c.is_overturned OR (b.is_every_within AND (c.is_pass OR NOT b.is_every_ok)) AS is_rejudged,
        b.core_tested = s.core_count AS has_core,
        c.is_overturned OR b.is_core_within AS is_core_pass,
        NOT c.is_pass AND b.has_severe AS is_severe,
        NOT c.is_pass AND b.has_label AND NOT b.has_severe AS is_label_only,
        b.margin
    FROM counted AS c
    JOIN by_batch AS b USING (sample_no)
    LEFT JOIN core_sizes AS s ON s.product_name = b.product_name
)
