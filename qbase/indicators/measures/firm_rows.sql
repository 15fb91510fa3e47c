-- One row per batch: whose, when, how drawn, whether it passed. A firm outside the register keeps its name.
SELECT
    entity,
    CAST(period AS DATE) AS period,
    CAST(firm_no AS INTEGER) AS firm_no,
    CASE WHEN firm_no IS NULL THEN firm END AS stranger,
    CAST(CASE sample_type WHEN 'random' THEN 0 WHEN 'risk' THEN 1 WHEN 'special' THEN 2 ELSE 3 END AS UTINYINT) AS way,
    is_pass
FROM counted
