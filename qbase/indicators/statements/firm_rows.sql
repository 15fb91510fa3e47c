-- One row per batch: whose, when, how drawn, whether it passed; firms as numbers of the register.
SELECT
    {place}
    firm_no,
    CAST(period AS DATE) AS period,
    {strata}
    CAST(CASE sample_type WHEN 'random' THEN 0 WHEN 'risk' THEN 1 WHEN 'special' THEN 2 ELSE 3 END AS UTINYINT) AS way,
    is_pass
FROM counted AS c
{names}
