-- Sums over firms by stratum: they add up over shards of the inspections that keep firms together.
SELECT
    entity,
    period,
    cluster_id,
    risk_class,
    size_class,
    inclusion_probability,
    CAST(sum(n) AS BIGINT) AS n,
    CAST(sum(k) AS BIGINT) AS k,
    count(*) AS n_firms,
    count(*) FILTER (k = n) AS n_clean,
    CAST(sum(n * n) AS BIGINT) AS sum_nn,
    -- k²/n as whole numbers of a fine part, so that no order of adding shows
    CAST(sum(k * k // n * {parts} + k * k % n * {parts} // n) AS BIGINT) AS kk_parts,
    CAST(sum(n_random) AS BIGINT) AS random_n,
    CAST(sum(k_random) AS BIGINT) AS random_k,
    count(*) FILTER (n_random > 0) AS random_n_firms,
    count(*) FILTER (n_random > 0 AND k_random = n_random) AS random_n_clean,
    CAST(sum(n_random * n_random) AS BIGINT) AS random_sum_nn,
    CAST(coalesce(sum(
        k_random * k_random // nullif(n_random, 0) * {parts} + k_random * k_random % nullif(n_random, 0) * {parts} // n_random
    ), 0) AS BIGINT) AS random_kk_parts,
    CAST(sum(n_risk) AS BIGINT) AS risk_n,
    count(*) FILTER (n > n_random) AS directed_n_firms,
    max(n_random) AS random_top1,
    coalesce(list_sort(list(n_random), 'DESC')[2], 0) AS random_top2,
    max(n - n_random) AS directed_top1,
    coalesce(list_sort(list(n - n_random), 'DESC')[2], 0) AS directed_top2
FROM by_firm
GROUP BY ALL
ORDER BY ALL
