"""The rules of test_drawings.py that every drawing keeps, for the tests of each family of drawings."""

from __future__ import annotations

from tests.unit.figures import test_drawings as every

RULES = (
    every.test_a_drawing_keeps_to_the_list,
    every.test_colours_are_roles,
    every.test_numbers_are_short_and_nothing_lies_outside,
    every.test_labels_stay_inside_and_do_not_touch,
    every.test_ids_are_unique_over_all_drawings,
    every.test_texts_exist_in_both_languages,
)
