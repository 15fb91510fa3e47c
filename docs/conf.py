"""How Sphinx reads these pages: Markdown by MyST, a room's names by `room_pages`, nothing from outside."""

from __future__ import annotations

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent))

project = "qbase"
author = "qbase"
extensions = ["myst_parser", "room_pages"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
root_doc = "index"
exclude_patterns = ["README.md"]
myst_heading_anchors = 3
default_role = "py:obj"
python_use_unqualified_type_names = True
# prose in two languages stands in these pages: straight quotes, dashes as typed
smartquotes = False
html_theme = "furo"
html_static_path = ["_static"]
html_css_files = ["qbase.css"]
html_title = "qbase"
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
html_last_updated_fmt = None
html_theme_options = {"footer_icons": [], "top_of_page_buttons": []}
# fonts of the reader's machine; for Chinese the one that build_site.py puts beside the pages
html_theme_options |= {
    "light_css_variables": {
        "font-stack": "'QB Docs', system-ui, sans-serif",
        "font-stack--monospace": "'QB Docs', ui-monospace, monospace",
    }
}
