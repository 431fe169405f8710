"""Lets pages of the site lead to files beside docs/: mkdocs serves only what lies in that folder.

A link such as `../examples/minimal.yaml` is right where the page is read in the repository. On the site the file is
served under `repository/`, and the link leads there. One that leads to nothing ends the build.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

LINK = re.compile(r"(?<=\]\()(?P<path>(?:\.\./)+[^)#\s]*)")
SERVED = "repository"


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Return a page's text with its links out of docs/ leading to the copies."""
    root = Path(config.docs_dir).parent
    folder = posixpath.dirname(page.file.src_uri)

    def served(found: re.Match[str]) -> str:
        place = posixpath.normpath(posixpath.join("docs", folder, found["path"]))
        if place.startswith("docs/"):
            return found["path"]
        path = root / place
        if not path.exists():
            raise PluginError(f"{page.file.src_uri} links to {found['path']}, which is not there")
        uri = f"{SERVED}/{place}"
        if path.is_dir():
            _add(files, config, f"{uri}/index.txt", "".join(f"{each.name}\n" for each in sorted(path.iterdir())))
            uri += "/index.txt"
        else:
            # markdown elsewhere in the repository is shown as it is, and is no page of the site
            uri += ".txt" if path.suffix in (".md", "") else ""
            _add(files, config, uri, path.read_text("utf-8"))
        return posixpath.relpath(uri, folder or ".")

    return LINK.sub(served, markdown)


def _add(files: Files, config: MkDocsConfig, uri: str, content: str) -> None:
    if files.get_file_from_path(uri) is None:
        files.append(File.generated(config, uri, content=content))
