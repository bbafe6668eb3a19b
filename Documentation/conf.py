# SPDX-License-Identifier: MIT
# Sphinx: make docs, or sphinx-build -W -n --keep-going Documentation build/docs
import os
import sys

sys.dont_write_bytecode = True
sys.path.insert(0, os.path.abspath("."))

project = "ferry"
author = "the ferry authors"
copyright = "the ferry authors"
extensions = ["ferrydoc"]
exclude_patterns = ["_static"]
highlight_language = "none"
primary_domain = "c"
smartquotes = False
c_id_attributes = ["__iomem", "__user", "__init", "__exit", "__must_check"]

# Types of the kernel and of the C library have no description on these pages. A name
# that contains ferry must have one.
# ferry_atomic_commit is a struct of DRM whose name differs between kernels.
nitpick_ignore_regex = [("c:.*", r"(?!.*(ferry|FERRY)).*|ferry_atomic_commit")]

html_theme = "alabaster"
html_static_path = ["_static"]
html_css_files = ["ferry.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "description": "A DRM driver for PCI memory apertures",
    "page_width": "1080px",
    "sidebar_width": "200px",
    "show_powered_by": False,
    "fixed_sidebar": True,
}
html_sidebars = {"**": ["about.html", "navigation.html", "searchbox.html"]}
