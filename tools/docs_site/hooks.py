"""Hooks for MkDocs (mkdocs.yml): they add pages that are generated from the code, or copied from outside docs/."""

import re
import subprocess
import sys
from pathlib import Path
from posixpath import normpath, relpath

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

from tools.docs_site import configuration, tables

ROOT = Path(__file__).parents[2]
_LINK = re.compile(r"(?P<image>!?)\[(?P<text>[^\]\n]*)\]\((?P<target>[^)\s#]+)(?P<anchor>#[^)\s]*)?\)")
_FENCE = re.compile(r"(^```.*?^```)", re.DOTALL | re.MULTILINE)
_MADE = re.compile(r"<!-- (?P<what>help|table): (?P<name>[\w.]+) -->")


def copied() -> dict[str, str]:
    """Returns, for each page of the site that is a file from outside docs/, the path of this file."""
    pages = {
        "developer/log.md": "experiments/LOG.md",
        "developer/changelog.md": "CHANGELOG.md",
        "developer/contributing.md": "CONTRIBUTING.md",
        "developer/agents.md": "AGENTS.md",
        "experiments/index.md": "experiments/README.md",
    }
    studies = sorted(path.parent.name for path in (ROOT / "experiments").glob("[0-9]*/README.md"))
    return pages | {f"experiments/{name}/index.md": f"experiments/{name}/README.md" for name in studies}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Adds the published studies (experiments/) to the navigation."""
    studies = [uri for uri in copied() if uri.startswith("experiments/")]
    config.nav = [*(config.nav or []), {"Experiments": studies}]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the generated pages, the copied pages, and the figures of the published studies."""
    files.append(File.generated(config, "reference/configuration.md", content=configuration.page()))
    for uri, source in copied().items():
        files.append(File.generated(config, uri, abs_src_path=str(ROOT / source)))
    for figure in sorted((ROOT / "experiments").glob("[0-9]*/*.svg")):
        uri = figure.relative_to(ROOT).as_posix()
        files.append(File.generated(config, uri, abs_src_path=str(figure)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Replaces markers by command help or tables, and links to repository files by links to their pages."""
    source = copied().get(page.file.src_uri, f"docs/{page.file.src_uri}")
    known = {file.src_uri for file in files}
    pieces = _FENCE.split(_MADE.sub(_made, markdown))
    return "".join(
        piece if piece.startswith("```") else with_links(piece, source, page.file.src_uri, known) for piece in pieces
    )


def with_links(markdown: str, source: str, uri: str, known: set[str]) -> str:
    """Returns the Markdown of the file `source` with its links rewritten for the page `uri`.

    A link to a file that has no page is replaced by its text. `known`: the pages of the site.
    """
    pages = {path: name for name, path in copied().items()}

    def link(match: re.Match[str]) -> str:
        target = match["target"]
        if re.match(r"[a-z]+:", target):
            return match[0]
        path = normpath(f"{source.rpartition('/')[0]}/{target}").lstrip("/")
        page = pages.get(path) or pages.get(f"{path}/README.md") or path.removeprefix("docs/")
        if page not in known and (ROOT / path).exists():
            return match["text"]
        return f"{match['image']}[{match['text']}]({relpath(page, Path(uri).parent.as_posix())}{match['anchor'] or ''})"

    return _LINK.sub(link, markdown)


def _made(marker: re.Match[str]) -> str:
    return _help(marker["name"]) if marker["what"] == "help" else tables.table(marker["name"])


def _help(command: str) -> str:
    """Returns the output of `python -m raft_exp.COMMAND --help` as a code block."""
    words = [sys.executable, "-m", f"raft_exp.{command}", "--help"]
    shown = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    return f"```\n{shown.stdout.strip()}\n```"
