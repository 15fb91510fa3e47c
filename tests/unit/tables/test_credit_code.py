"""统一社会信用代码: both check digits."""

from __future__ import annotations

import pytest

from qbase.core import UsageError
from qbase.tables import build_uscc, find_uscc_fault, is_uscc

# A real code, both digits of which were verified by hand (design text, domain.md section 3).
KNOWN = "91110000600037341L"


def test_a_known_code_is_sound():
    assert is_uscc(KNOWN)
    assert build_uscc("91110000", "60003734") == KNOWN


@pytest.mark.parametrize(
    ("code", "fault"),
    [
        ("", "length"),
        (KNOWN[:-1], "length"),
        (KNOWN + " ", "length"),
        (KNOWN.lower(), "alphabet"),
        ("9111000060003734IL", "alphabet"),
        ("91A10000600037341L", "alphabet"),
        ("91110000600037342L", "organisation"),
        ("91110000600037341M", "check"),
        ("91110001600037341L", "check"),
        ("９１110000600037341L", "alphabet"),
    ],
)
def test_faults_have_names(code, fault):
    assert find_uscc_fault(code) == fault


@pytest.mark.parametrize("registrar", ["A1", "N1", "Y1", "51", "9Y"])
def test_letters_in_the_first_two_places_are_valid(registrar):
    assert is_uscc(build_uscc(registrar + "990101", "MA000001"))


def test_both_digits_are_checked_separately():
    """A wrong inner digit under a right outer one, which a check of GB 32100 alone would accept."""
    from qbase.tables.credit_code import uscc_check_char

    code17 = KNOWN[:16] + "2"
    assert find_uscc_fault(code17 + uscc_check_char(code17)) == "organisation"


@pytest.mark.parametrize(
    ("prefix", "org"), [("9111000", "60003734"), ("91110000", "6000373I"), ("9111000A", "60003734")]
)
def test_parts_that_cannot_be_a_code(prefix, org):
    with pytest.raises(UsageError, match="QB154"):
        build_uscc(prefix, org)
