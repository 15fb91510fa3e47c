-- Batches of one product of an entity and quarter, with sums over firms: how much fails together across firms.
, by_family AS (
    SELECT
        entity,
        period,
        quarter,
        product_name,
        firm,
        count(*) AS n,
        count(*) FILTER (is_pass) AS k,
        count(*) FILTER (sample_type = 'random') AS n_random
    FROM counted
    WHERE product_name IS NOT NULL
    GROUP BY ALL
)
SELECT
    entity,
    period,
    quarter,
    product_name AS product,
    CAST(sum(n) AS BIGINT) AS n,
    CAST(sum(k) AS BIGINT) AS k,
    CAST(sum(n * n) AS BIGINT) AS nn,
    CAST(sum(n * k) AS BIGINT) AS nk,
    CAST(sum(k * k) AS BIGINT) AS kk,
    CAST(sum(n_random) AS BIGINT) AS random_n,
    CAST(sum(n_random * n_random) AS BIGINT) AS random_nn
FROM by_family
GROUP BY ALL
ORDER BY ALL
