"""Storey 7: what may leave the house. Sanitising, disclosure control, verification of a finished report."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qbase.core.lazy import lazy_names

if TYPE_CHECKING:
    from qbase.release.clean import clean_html
    from qbase.release.private import scan_private
    from qbase.release.protect import protect
    from qbase.release.svg import check_svg
    from qbase.release.verify import Verification, verify_report

__getattr__ = lazy_names(
    __name__,
    {
        "clean": ("clean_html",),
        "private": ("scan_private",),
        "protect": ("protect",),
        "svg": ("check_svg",),
        "verify": ("Verification", "verify_report"),
    },
)

__all__ = ["Verification", "check_svg", "clean_html", "protect", "scan_private", "verify_report"]
