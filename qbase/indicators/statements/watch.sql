-- watch
-- One row per first batch of a registered firm: when, how and by whom it was drawn, and whether it passed.
SELECT
    sample_no, firm_id, sample_date, coalesce(sample_type, 'unknown') AS sample_type, product_name, lab_name, level,
    risk_class, size_class, inclusion_probability, is_pass
FROM counted
ORDER BY sample_date, sample_no
