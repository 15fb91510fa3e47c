-- Sums over firms by stratum, each firm with its output: read after by_firm, keys as in strata.sql.
-- Fractions are added in the order of size, so that threads do not change the last digit.
, outputs AS (
    SELECT firm_id, year, {output} AS output
    FROM ({years})
),
weighed AS (
    SELECT b.*, {n} AS drawn, {k} AS passed, o.output
    FROM by_firm AS b
    LEFT JOIN outputs AS o ON o.firm_id = b.firm AND o.year = {year}
    WHERE {n} > 0
)
SELECT
    entity,
    period,
    cluster_id,
    risk_class,
    size_class,
    inclusion_probability,
    CAST(sum(drawn) FILTER (output > 0 IS NOT TRUE) AS BIGINT) AS left_out_n,
    CAST(sum(drawn) FILTER (output > 0) AS BIGINT) AS n,
    CAST(sum(passed) FILTER (output > 0) AS BIGINT) AS k,
    count(*) FILTER (output > 0) AS n_firms,
    count(*) FILTER (output > 0 AND passed = drawn) AS n_clean,
    CAST(sum(drawn * drawn) FILTER (output > 0) AS BIGINT) AS sum_nn,
    sum(passed * passed / drawn ORDER BY passed * passed / drawn) FILTER (output > 0) AS sum_kk,
    sum(output * drawn ORDER BY output * drawn) FILTER (output > 0) AS output_n,
    sum(output * passed ORDER BY output * passed) FILTER (output > 0) AS output_k,
    sum(output ORDER BY output) FILTER (output > 0) AS output_firms,
    sum(output ORDER BY output) FILTER (output > 0 AND passed = drawn) AS output_clean,
    sum(output ^ 2 * drawn ORDER BY output ^ 2 * drawn) FILTER (output > 0) AS square_n,
    sum(output ^ 2 * drawn * drawn ORDER BY output ^ 2 * drawn * drawn) FILTER (output > 0) AS square_nn,
    sum(output ^ 2 ORDER BY output ^ 2) FILTER (output > 0) AS square_firms
FROM weighed
GROUP BY ALL
ORDER BY ALL
