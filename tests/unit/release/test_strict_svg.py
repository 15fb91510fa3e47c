"""Drawings keep to the list, or the run fails."""

from __future__ import annotations

import pytest

from qbase.core import RunError
from qbase.release import check_svg

GOOD = (
    '<svg viewBox="0 0 10 10" role="img" aria-labelledby="a-t a-d"><title id="a-t">一</title><desc id="a-d">二</desc>'
    '<defs><clipPath id="a-c"><rect width="9" height="9"/></clipPath><path id="a-m" d="M0 0L1 1"/></defs>'
    '<g clip-path="url(#a-c)" style="fill:none;stroke:var(--blue);stroke-dasharray:5,3;stroke-width:1.6">'
    '<use href="#a-m" x="1" y="2"/><path d="M1 1L2 2"/><text x="1" y="2" font-size="13">−1.2 &lt; 3</text></g></svg>'
)


def test_a_clean_drawing_comes_back_unchanged() -> None:
    assert check_svg(GOOD) is GOOD


@pytest.mark.parametrize(
    "bad",
    [
        "",
        "text",
        '<?xml version="1.0"?>' + GOOD,
        '<!DOCTYPE svg [<!ENTITY x "y">]>' + GOOD,
        GOOD + GOOD,
        GOOD.replace("</g>", ""),
        GOOD.replace("<defs>", "<!-- note --><defs>"),
        GOOD.replace("<defs>", "<?php x?><defs>"),
        GOOD.replace("一", "<![CDATA[<b>]]>"),
        GOOD.replace("一", "&nope;"),
        GOOD.replace("一", "\ud800"),
    ],
)
def test_what_is_no_clean_xml_is_refused(bad: str) -> None:
    with pytest.raises(RunError) as caught:
        check_svg(bad)
    assert caught.value.code == "QB760"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("<path d=", "<script>alert(1)</script><path d="),
        ("<path d=", '<foreignObject width="1"/><path d='),
        ("<path d=", '<image href="https://x.example/a.png"/><path d='),
        ("<path d=", '<a href="#a-m"><path d="M0 0"/></a><path d='),
        ("<path d=", '<animate attributeName="href" values="javascript:alert(1)"/><path d='),
        ("<path d=", "<style>@import url(https://x.example)</style><path d="),
        ("<path d=", "<SCRIPT/><path d="),
        ("<path d=", '<h:p xmlns:h="http://www.w3.org/1999/xhtml"/><path d='),
        ("<title id", "<title onclick='alert(1)' id"),
        ('viewBox="0', 'onload="alert(1)" viewBox="0'),
        ('href="#a-m"', 'href="https://x.example/#a-m"'),
        ('href="#a-m"', 'xlink:href="data:image/svg+xml,x" xmlns:xlink="http://www.w3.org/1999/xlink"'),
        ("url(#a-c)", "url(https://x.example/)"),
        ("url(#a-c)", "url( 'javascript:alert(1)' )"),
        ("fill:none", "background:url(#a-c)"),
        ("fill:none", "fill:url(//x.example)"),
        ("fill:none", "fill:\\75rl(x)"),
        ("fill:none", "fill:none/**/"),
        ("fill:none", "position:fixed"),
        ("一", "<b>x</b>"),
        ('viewBox="0', 'xmlns="http://www.w3.org/1999/xhtml" viewBox="0'),
        ('role="img"', 'data-X="1"'),
    ],
)
def test_what_is_not_on_the_list_is_refused(old: str, new: str) -> None:
    bad = GOOD.replace(old, new, 1)
    assert bad != GOOD
    with pytest.raises(RunError) as caught:
        check_svg(bad)
    assert caught.value.code == "QB761"
