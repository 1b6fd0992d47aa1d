"""
The pages of this folder as a site: ``sphinx-build -W -n -b html docs docs/_build``.

They are written for a code host too, so nothing in them is Sphinx's own. What it needs
is made here, when a page is read.
"""

import re
from pathlib import Path

from pygments.lexers.templates import HtmlDjangoLexer

from django_magiclink import __version__

ROOT = Path(__file__).parent.parent

project = "django_magiclink"
author = "The django_magiclink authors"
version = release = __version__

extensions = ["myst_parser"]
exclude_patterns = ["_build"]
#: As many levels as a code host makes addresses for.
myst_heading_anchors = 4

html_theme = "furo"
html_title = f"django_magiclink {release}"
html_static_path = ["_static"]
html_css_files = ["pages.css"]

#: Pages that are a file at the top of the project.
COPIES = {"changelog": "CHANGELOG.md", "reporting": "SECURITY.md"}
#: Pages whose links are the navigation below them.
PARENTS = ["index", "howto/README"]

_LINK = re.compile(r"\[([^\]]+)\]\(([^)#\s:]+)((?:#[^)]*)?)\)")


def read(app, docname, source):
    """Give a page what a code host does without."""
    if docname in COPIES:
        source[0] = (ROOT / COPIES[docname]).read_text().replace("](docs/", "](")
    if docname in PARENTS:
        source[0] += navigation(source[0])
    source[0] = _LINK.sub(lambda link: within(docname, link), source[0])


def navigation(text):
    """Return a table of contents of the pages that ``text`` links to, in its order."""
    pages = [target for _, target, _ in _LINK.findall(text) if target[-3:] == ".md"]
    below = [page.removesuffix(".md") for page in pages if page[:2] != ".."]
    lines = "\n".join(dict.fromkeys(below))
    return f"\n```{{toctree}}\n:hidden:\n\n{lines}\n```\n"


def within(docname, link):
    """Return a link that leads to a page here, or the mere words of it."""
    words, target, heading = link.groups()
    docs = ROOT / "docs"
    path = (docs / docname).parent.joinpath(target).resolve()
    if path.is_relative_to(docs):
        return link[0]
    for name, copied in COPIES.items():
        if path == ROOT / copied:
            up = "../" * docname.count("/")
            return f"[{words}]({up}{name}.md{heading})"
    return words


def setup(app):
    """Connect what is above; HTML in the pages is that of templates."""
    app.add_lexer("html", HtmlDjangoLexer)
    app.connect("source-read", read)
