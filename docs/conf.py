"""Sphinx configuration; ``make docs`` builds with warnings as errors."""

project = "spec2"
author = "The spec2 authors"
copyright = author

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]

# Headings get anchors, so that pages can link to one another's sections.
myst_heading_anchors = 3
myst_enable_extensions = ["deflist"]

html_theme = "alabaster"
html_theme_options = {
    "description": "Accelerators for pruned spectral CNNs",
    "fixed_sidebar": True,
    "page_width": "1100px",
}
