-- Row sets that measures count. "@name" is another part; "@table" of the lake is that table with doubled deliveries
-- taken once and contradicted keys left out; "@stock(t.date)" and its kin are explained in parts.py.
-- {entity of …}, {begin of …}, {months} and {day:column} are filled in from closed lists.

-- part span
SELECT
    CAST(s AS DATE) AS period,
    CAST(s + INTERVAL {months} MONTH - INTERVAL 1 DAY AS DATE) AS last_day
FROM (
    SELECT unnest(generate_series(
        {begin of CAST($span_first AS DATE)}, CAST($span_last AS DATE), INTERVAL {months} MONTH
    )) AS s
)

-- part draws
-- every inspection that matches an entity, by itself: a town needs no register of firms for it
SELECT
    {entity of sample} AS entity,
    CAST({begin of m.sample_date} AS DATE) AS period,
    m.sample_no, m.sample_date, m.sample_type, m.std_no, m.size_class,
    m.matched_id AS firm_id,
    coalesce(m.matched_id, m.uscc, m.firm_code, m.firm_name) AS firm,
    coalesce(m.is_recheck, false) OR m.parent_no IS NOT NULL AS is_recheck,
    NOT (coalesce(m.is_recheck, false) OR m.parent_no IS NOT NULL) AND coalesce(m.role, 'producer') = 'producer'
        AND m.sample_type NOT IN ('complaint', 'followup') AS is_counted,
    coalesce(m.result = 'pass' OR m.appeal_result = 'overturned', false) AS is_pass
FROM matched AS m
LEFT JOIN registered AS f ON f.firm_id = m.matched_id
WHERE {entity of sample} IS NOT NULL

-- part samples
-- the same with what the register knows of the firm
SELECT
    d.* EXCLUDE (size_class),
    coalesce(d.size_class, r.size_class) AS size_class,
    coalesce(r.is_lead, false) AS is_lead,
    coalesce(r.industry_code, '') AS industry_code
FROM @draws AS d
LEFT JOIN @firms AS r ON r.firm_id = d.firm_id

-- part firm
SELECT
    {entity of firm} AS entity,
    f.firm_id, f.cluster_id, f.town_code, f.industry_code, f.size_class, f.longitude, f.latitude,
    coalesce(f.is_above_scale, false) AS is_above_scale,
    coalesce(f.is_lead, false) AS is_lead,
    coalesce(f.size_class IN ('medium', 'small', 'micro'), false) AS is_sme,
    f.is_in_park,
    coalesce({day:f.entry_quarter}, DATE '0001-01-01') AS entry_day,
    coalesce({day:f.exit_quarter}, DATE '9999-12-31') AS exit_day
FROM @firms AS f
WHERE {entity of firm} IS NOT NULL

-- part live
-- the quarter of the exit is the first one without the firm
SELECT f.*, s.period, s.last_day
FROM @firm AS f
JOIN @span AS s ON f.entry_day <= s.last_day AND f.exit_day > s.period

-- part at_end
-- a stock is counted on the last day: by year its firms are those of the fourth quarter
SELECT l.* FROM @live AS l WHERE l.exit_day > l.last_day

-- part grid
SELECT DISTINCT l.entity, l.period, l.last_day FROM @live AS l

-- part years
-- output as reported; small firms that report none enter with their revenue
SELECT
    f.entity,
    make_date(y.year, 1, 1) AS period,
    f.cluster_id, f.town_code, f.industry_code, f.is_above_scale, f.is_lead, f.is_in_park,
    y.*,
    coalesce(y.output_wan_cny, y.revenue_wan_cny) AS output
FROM @firm_year AS y
JOIN @firm AS f ON f.firm_id = y.firm_id
WHERE make_date(y.year, 12, 31) >= CAST($first_day AS DATE) AND make_date(y.year, 1, 1) <= CAST($last_day AS DATE)

-- part year_sums
-- the sums of a year beside those of the year before, for changes
SELECT
    a.entity, a.period,
    a.output, b.output AS output_before,
    a.firms, b.firms AS firms_before,
    a.staff, b.staff AS staff_before,
    a.energy, b.energy AS energy_before,
    a.energy_output, b.energy_output AS energy_output_before
FROM @entity_year AS a
LEFT JOIN @entity_year AS b ON b.entity = a.entity AND b.year = a.year - 1
WHERE a.period BETWEEN date_trunc('year', CAST($first_day AS DATE)) AND CAST($last_day AS DATE)

-- part entity_year
SELECT
    f.entity, y.year, make_date(y.year, 1, 1) AS period,
    sum(coalesce(y.output_wan_cny, y.revenue_wan_cny)) AS output,
    count(*) AS firms,
    sum(y.staff_count) AS staff,
    sum(y.energy_tce) AS energy,
    sum(coalesce(y.output_wan_cny, y.revenue_wan_cny)) FILTER (y.energy_tce IS NOT NULL) AS energy_output
FROM @firm_year AS y
JOIN @firm AS f ON f.firm_id = y.firm_id
GROUP BY f.entity, y.year

-- part obsolete
-- capacity in classes to be phased out: what a firm holds less of than the year before, exits included;
-- a firm that goes on and sent no report gave up nothing that is known
SELECT
    f.entity, make_date(b.year + 1, 1, 1) AS period,
    b.capacity_t AS base,
    greatest(b.obsolete_capacity_t - coalesce(a.obsolete_capacity_t, 0), 0) AS removed
FROM @firm_year AS b
JOIN @firm AS f ON f.firm_id = b.firm_id
LEFT JOIN @firm_year AS a ON a.firm_id = b.firm_id AND a.year = b.year + 1
WHERE b.year + 1 IN (SELECT year FROM @firm_year)
    AND (a.firm_id IS NOT NULL OR f.exit_day <= make_date(b.year + 1, 12, 31))
    AND make_date(b.year + 1, 12, 31) >= CAST($first_day AS DATE) AND make_date(b.year + 1, 1, 1) <= CAST($last_day AS DATE)

-- part checks
SELECT
    f.entity,
    make_date(k.year, 1, 1) AS period,
    f.is_above_scale, f.is_lead,
    k.*
FROM @firm_checks AS k
JOIN @firm AS f ON f.firm_id = k.firm_id
WHERE make_date(k.year, 12, 31) >= CAST($first_day AS DATE) AND make_date(k.year, 1, 1) <= CAST($last_day AS DATE)

-- part items_of_firms
-- the product directory carries no date: it is read for the firms alive at the end of the period
SELECT l.entity, l.period, l.is_lead, p.*
FROM @at_end AS l
JOIN @firm_products AS p ON p.firm_id = l.firm_id

-- part product_output
SELECT y.entity, y.period, p.firm_id, p.product_name, p.has_alliance_standard, y.output * p.output_share_pct / 100 AS output
FROM @years AS y
JOIN @firm_products AS p ON p.firm_id = y.firm_id

-- part certified
SELECT l.entity, l.period, l.firm_id, l.is_sme, c.scheme
FROM @at_end AS l
LEFT JOIN @certifications AS c
    ON c.firm_id = l.firm_id AND c.valid_from_date <= l.last_day AND c.valid_to_date >= l.last_day

-- part graded
SELECT f.entity, make_date(g.year, 1, 1) AS period, g.firm_id, g.grade, b.grade AS grade_before
FROM @credit_grades AS g
JOIN @firm AS f ON f.firm_id = g.firm_id
LEFT JOIN @credit_grades AS b ON b.firm_id = g.firm_id AND b.scheme = g.scheme AND b.year = g.year - 1
WHERE make_date(g.year, 12, 31) >= CAST($first_day AS DATE) AND make_date(g.year, 1, 1) <= CAST($last_day AS DATE)

-- part orders
-- a failed inspection and what became of the order to put things right; an order counts from the day its re-check was
-- due (75 days, Order 18 section 47) by the end of the register: before, nobody knows what it will become
SELECT s.entity, CAST({begin of w.order_date} AS DATE) AS period, s.firm, w.*
FROM @followup AS w
JOIN @draws AS s ON s.sample_no = w.sample_no
WHERE w.order_date BETWEEN CAST($first_day AS DATE) AND CAST($last_day AS DATE)
    AND w.order_date + INTERVAL 75 DAY <= (SELECT coalesce(max(recheck_date), max(order_date)) FROM @followup)

-- part cluster
SELECT {entity of cluster} AS entity, c.cluster_id, c.town_code, c.industry_code FROM @clusters AS c

-- part cluster_grid
SELECT DISTINCT c.entity, s.period, s.last_day FROM @cluster AS c CROSS JOIN @span AS s

-- part acts
SELECT c.entity, CAST({begin of {day:p.quarter}} AS DATE) AS period, p.*
FROM @programme AS p
JOIN @cluster AS c ON c.cluster_id = p.cluster_id
WHERE {day:p.quarter} BETWEEN date_trunc('quarter', CAST($first_day AS DATE)) AND CAST($last_day AS DATE)

-- part tools
SELECT c.entity, CAST({begin of {day:p.quarter}} AS DATE) AS period, p.*
FROM @instruments AS p
JOIN @cluster AS c ON c.cluster_id = p.cluster_id
WHERE {day:p.quarter} BETWEEN date_trunc('quarter', CAST($first_day AS DATE)) AND CAST($last_day AS DATE)

-- part services
SELECT c.entity, CAST({begin of {day:p.quarter}} AS DATE) AS period, h.kind, p.*
FROM @platform_services AS p
JOIN @platforms AS h ON h.platform_id = p.platform_id
JOIN @cluster AS c ON c.cluster_id = h.cluster_id
WHERE {day:p.quarter} BETWEEN date_trunc('quarter', CAST($first_day AS DATE)) AND CAST($last_day AS DATE)

-- part chain
SELECT c.entity, make_date(p.year, 1, 1) AS period, p.*
FROM @supply_chain AS p
JOIN @cluster AS c ON c.cluster_id = p.cluster_id
WHERE make_date(p.year, 12, 31) >= CAST($first_day AS DATE) AND make_date(p.year, 1, 1) <= CAST($last_day AS DATE)

-- part polls
SELECT c.entity, make_date(p.year, 1, 1) AS period, p.*
FROM @surveys AS p
JOIN @cluster AS c ON c.cluster_id = p.cluster_id
WHERE make_date(p.year, 12, 31) >= CAST($first_day AS DATE) AND make_date(p.year, 1, 1) <= CAST($last_day AS DATE)

-- part place
-- a figure of the town also stands for each cluster in it
SELECT {entity of place} AS entity, t.town_code
FROM (SELECT DISTINCT town_code FROM @towns) AS t
LEFT JOIN (SELECT DISTINCT cluster_id, town_code FROM @clusters) AS c ON c.town_code = t.town_code
WHERE {entity of place} IS NOT NULL
GROUP BY ALL

-- part town_figures
SELECT c.entity, make_date(p.year, 1, 1) AS period, p.*
FROM @town_year AS p
JOIN @place AS c ON c.town_code = p.town_code
WHERE make_date(p.year, 12, 31) >= CAST($first_day AS DATE) AND make_date(p.year, 1, 1) <= CAST($last_day AS DATE)

-- part own_and_town
-- what the firms of an entity add up to, beside the totals of the towns they lie in
SELECT o.entity, o.period, o.output, o.added, o.tax, o.staff, t.output AS town_output, t.added AS town_added,
    t.tax AS town_tax, t.staff AS town_staff
FROM (
    SELECT entity, period, sum(output) AS output, sum(value_added_wan_cny) AS added, sum(tax_wan_cny) AS tax,
        sum(staff_count) AS staff
    FROM @years
    GROUP BY entity, period
) AS o
JOIN (
    SELECT entity, period, sum(output_wan_cny) AS output, sum(value_added_wan_cny) AS added, sum(tax_wan_cny) AS tax,
        sum(staff_count) AS staff
    FROM @town_figures
    GROUP BY entity, period
) AS t USING (entity, period)

-- part years_in_industry
-- reports of firms in an industry of the entity's clusters: what stands beside a market of the same industries.
-- GB/T 4754 nests: a shorter code covers the longer ones
SELECT y.*
FROM @years AS y
WHERE EXISTS (
    SELECT 1 FROM @cluster AS c
    WHERE c.entity = y.entity
        AND (starts_with(y.industry_code, c.industry_code) OR starts_with(c.industry_code, y.industry_code))
)

-- part own_and_market
-- what the firms of an entity add up to in its industries, beside province and nation in the same industries
SELECT o.entity, o.period, o.output, o.sales, p.output AS province_output, p.sales AS province_sales,
    n.output AS nation_output, n.sales AS nation_sales
FROM (
    SELECT entity, period, year, sum(output) AS output, sum(revenue_wan_cny) AS sales
    FROM @years_in_industry
    GROUP BY entity, period, year
) AS o
LEFT JOIN @entity_market AS p ON p.entity = o.entity AND p.year = o.year AND p.area = 'province'
LEFT JOIN @entity_market AS n ON n.entity = o.entity AND n.year = o.year AND n.area = 'nation'

-- part draws_and_province
-- own draws by the industry of their cluster, beside the province's in the same industry and year
SELECT s.entity, s.period, c.industry_code, count(*) AS n, count(*) FILTER (s.is_pass) AS k,
    any_value(m.batches) AS n_province, any_value(m.batches - m.failed) AS k_province
FROM @draws AS s
JOIN @firms AS f ON f.firm_id = s.firm_id
JOIN @clusters AS c ON c.cluster_id = f.cluster_id
JOIN (
    SELECT industry_code, year, sum(batch_count) AS batches, sum(failed_count) AS failed
    FROM @market
    WHERE area = 'province'
    GROUP BY ALL
) AS m ON m.industry_code = c.industry_code AND m.year = year(s.period) AND m.batches > 0
WHERE s.is_counted
GROUP BY s.entity, s.period, c.industry_code

-- part entity_market
SELECT c.entity, m.year, m.area, sum(m.output_wan_cny) AS output, sum(m.sales_wan_cny) AS sales,
    sum(m.batch_count) AS batches, sum(m.failed_count) AS failed
FROM (SELECT DISTINCT entity, industry_code FROM @cluster) AS c
JOIN @market AS m ON m.industry_code = c.industry_code
GROUP BY c.entity, m.year, m.area

-- part industry_shares
-- staff by industry at home and in the nation; industries absent at home stand with 0
SELECT e.entity, e.period, n.industry_code, coalesce(o.staff, 0) AS own, n.staff_count AS ref
FROM (SELECT DISTINCT entity, period, year FROM @years) AS e
JOIN @market AS n ON n.area = 'nation' AND n.year = e.year
LEFT JOIN (
    SELECT entity, period, industry_code, sum(staff_count) AS staff FROM @years GROUP BY ALL
) AS o ON o.entity = e.entity AND o.period = e.period AND o.industry_code = n.industry_code

-- part specialisation
SELECT o.entity, o.period, o.staff AS own, t.town_staff AS own_all, n.staff AS ref, a.staff AS ref_all
FROM (
    SELECT y.entity, y.period, y.year, sum(y.staff_count) AS staff FROM @years_in_industry AS y GROUP BY ALL
) AS o
JOIN (SELECT entity, period, town_staff FROM @own_and_town) AS t USING (entity, period)
JOIN (
    SELECT c.entity, m.year, sum(m.staff_count) AS staff
    FROM (SELECT DISTINCT entity, industry_code FROM @cluster) AS c
    JOIN @market AS m ON m.industry_code = c.industry_code AND m.area = 'nation'
    GROUP BY ALL
) AS n ON n.entity = o.entity AND n.year = o.year
JOIN (SELECT year, sum(staff_count) AS staff FROM @market WHERE area = 'nation' GROUP BY year) AS a ON a.year = o.year
WHERE t.town_staff > 0 AND n.staff > 0 AND a.staff > 0

-- part prices
SELECT g.entity, g.period, p.*
FROM @cluster_grid AS g
JOIN @macro AS p ON {day:p.quarter} BETWEEN g.period AND g.last_day
WHERE {day:p.quarter} BETWEEN date_trunc('quarter', CAST($first_day AS DATE)) AND CAST($last_day AS DATE)

-- part strategy_grid
SELECT g.entity, g.period, s.strategy, s.intensity_index
FROM (SELECT p.entity, p.town_code, d.period, d.last_day FROM @place AS p CROSS JOIN @span AS d) AS g
LEFT JOIN @strategies AS s ON s.town_code = g.town_code AND s.adopt_date <= g.last_day

-- part treated
-- the policy that states targets; spells of other policies are not its window
SELECT g.entity, g.period, g.last_day, c.industry_code, p.start_day
FROM @cluster_grid AS g
JOIN @cluster AS c ON c.entity = g.entity
LEFT JOIN (
    SELECT s.entity_id, min({day:s.start_quarter}) AS start_day
    FROM @spells AS s
    WHERE s.policy_id IN (SELECT policy_id FROM @targets)
    GROUP BY s.entity_id
) AS p ON p.entity_id = c.cluster_id

-- part brand_marks
-- a brand of a firm that has closed is nobody's, whatever its certificate says; a brand sold stands with its new firm
SELECT g.entity, g.period, b.brand_id, b.tier
FROM @grid AS g
LEFT JOIN (SELECT f.entity, f.exit_day, m.* FROM @brands AS m JOIN @firm AS f ON f.firm_id = m.firm_id) AS b
    ON b.entity = g.entity AND b.valid_from_date <= g.last_day AND b.valid_to_date >= g.last_day
        AND b.exit_day > g.last_day

-- part deals
-- mergers and joint ventures; is_brand says whether the firm held a valid brand on the day
SELECT g.entity, g.period, e.firm_id, e.kind, e.amount_wan_cny, e.is_brand
FROM @grid AS g
LEFT JOIN (
    SELECT f.entity, v.*, EXISTS (
        SELECT 1 FROM @brands AS b
        WHERE b.firm_id = v.firm_id AND v.event_date BETWEEN b.valid_from_date AND b.valid_to_date
    ) AS is_brand
    FROM @firm_events AS v
    JOIN @firm AS f ON f.firm_id = v.firm_id
    WHERE v.kind IN ('merged', 'joint_venture')
) AS e ON e.entity = g.entity AND e.event_date BETWEEN g.period AND g.last_day

-- part licensed
SELECT l.entity, l.period, l.firm_id, l.is_sme, EXISTS (
    SELECT 1 FROM @brand_licences AS b WHERE b.firm_id = l.firm_id AND b.start_date <= l.last_day
) AS is_licensed
FROM @at_end AS l

-- part punished
SELECT l.entity, l.period, l.firm_id, EXISTS (
    SELECT 1 FROM @credit_events AS e
    WHERE e.firm_id = l.firm_id AND e.kind IN ('penalty', 'administrative_penalty')
        AND e.event_date BETWEEN l.period AND l.last_day
) AS is_punished
FROM @live AS l

-- part members
SELECT g.entity, g.period, o.members, g.firms
FROM (SELECT entity, period, last_day, count(*) AS firms FROM @at_end GROUP BY ALL) AS g
LEFT JOIN (
    SELECT h.entity, h.period, sum(o.member_count) AS members
    FROM @cluster_grid AS h
    JOIN (SELECT c.entity, a.* FROM @organisations AS a JOIN @cluster AS c ON c.cluster_id = a.cluster_id) AS o
        ON o.entity = h.entity AND o.found_date <= h.last_day AND o.kind = 'association'
    GROUP BY ALL
) AS o USING (entity, period)

-- part per_firm
-- programme figures beside the firms alive in the period
SELECT a.*, g.firms
FROM (SELECT entity, period, sum(service_visit_count) AS visits, sum(service_hours) AS hours,
        sum(enforcement_case_count) AS cases, sum(quality_fund_wan_cny) AS fund
    FROM @acts GROUP BY ALL) AS a
JOIN (SELECT entity, period, count(*) AS firms FROM @live GROUP BY ALL) AS g USING (entity, period)

-- part platforms_per_firm
SELECT g.entity, g.period, g.firms, coalesce(p.platforms, 0) AS platforms
FROM (SELECT entity, period, last_day, count(*) AS firms FROM @at_end GROUP BY ALL) AS g
LEFT JOIN (SELECT entity, period, count(platform_id) AS platforms FROM @stock(platforms.open_date) GROUP BY ALL) AS p
    USING (entity, period)

-- part repeat_failures
-- firms that failed a first inspection in the eight quarters that end with the period and were drawn again on a later
-- day of them, once eight are on record: a firm nobody visited again cannot fail again
SELECT a.entity, a.period, a.firm, bool_or(NOT a.is_pass) AS has_failed_again
FROM (
    SELECT s.entity, d.period, s.firm, s.sample_date, s.is_pass,
        min(s.sample_date) FILTER (NOT s.is_pass) OVER (PARTITION BY s.entity, d.period, s.firm) AS failed_on
    FROM @span AS d
    JOIN @draws AS s ON s.sample_date <= d.last_day AND s.sample_date > d.last_day - INTERVAL 24 MONTH
    WHERE s.is_counted AND d.last_day - INTERVAL 24 MONTH >= CAST($span_first AS DATE) - 1
) AS a
WHERE a.sample_date > a.failed_on
GROUP BY ALL

-- part supply_and_output
SELECT p.*, y.output
FROM (SELECT entity, period, sum(local_input_wan_cny) AS local_input FROM @chain GROUP BY ALL) AS p
JOIN (SELECT entity, period, sum(output) AS output FROM @years GROUP BY ALL) AS y USING (entity, period)

-- part certified_output
SELECT y.entity, y.period, y.output, EXISTS (
    SELECT 1 FROM @certifications AS c
    WHERE c.firm_id = y.firm_id AND c.scheme = 'qms' AND c.valid_from_date <= make_date(y.year, 12, 31)
        AND c.valid_to_date >= make_date(y.year, 12, 31)
) AS is_certified
FROM @years AS y

-- part weighted_firms
-- firms tested, weighted by output in the last full year before the period
SELECT c.*, coalesce(y.output_wan_cny, y.revenue_wan_cny) AS w
FROM (
    SELECT entity, period, firm_id, count(*) AS n, count(*) FILTER (is_pass) AS k
    FROM @draws
    WHERE is_counted AND firm_id IS NOT NULL
    GROUP BY ALL
) AS c
JOIN @firm_year AS y ON y.firm_id = c.firm_id AND y.year = year(c.period) - 1

-- part visits
-- every way of drawing, complaints and follow-ups too; only re-checks stay out
SELECT entity, period, firm, NOT bool_and(is_pass) AS has_failed
FROM @draws
WHERE NOT is_recheck
GROUP BY ALL
