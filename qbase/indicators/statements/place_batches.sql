-- First inspections one by one, as every rate of batches counts them; for the office itself.
SELECT
    entity, period, sample_no, firm, coalesce(firm_name, firm) AS firm_name, coalesce(product_name, 'unknown') AS product,
    coalesce(sample_type, 'unknown') AS sample_type, coalesce(level, 'unknown') AS level,
    coalesce(domain, 'unknown') AS domain, sample_date, notice_no, appeal_result, is_pass
FROM counted
ORDER BY ALL
