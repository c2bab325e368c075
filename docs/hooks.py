"""Hooks of the documentation site: pages from outside ``docs/``, and the site as text for language models.

README is the start page. Measured results, model cards, CONTRIBUTING, SECURITY and CHANGELOG stay where they are in the
repository and become pages as well. Links are written for the repository, where they work on any hosting platform; here they
are rewritten for the site. A link to a file that is not a page, such as a module, becomes plain text.
"""

import posixpath
import re
from pathlib import Path
from tempfile import mkdtemp

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.plugins import event_priority
from mkdocs.structure.files import File, Files
from mkdocs.structure.nav import Navigation
from mkdocs.structure.pages import Page

START = "README.md"
OUTSIDE = [
    START,
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "benchmarks/results/**/*.md",
    "benchmarks/results/**/*.png",
    "engines/onnx/weights/*/*/README.md",
]
LINK = re.compile(r"(?P<image>!?)\[(?P<text>[^]]*)\]\((?P<target>[^)#\s]*)(?P<anchor>#[^)\s]*)?\)")
ROLE = re.compile(r":(?:attr|class|func|meth|mod):<code>~?")
FENCE = re.compile(r"^(```.*?^```)", re.MULTILINE | re.DOTALL)

DOCUMENTED = ["__init__.py", "core", "generators", "reward_models", "search"]
"""What the Python reference is made from. A search of the whole repository takes minutes: it would read environments too."""

_navigation: list[Navigation] = []


def _site_uri(repository_path: str) -> str:
    """The page's address within the site for a path within the repository."""
    return "index.md" if repository_path == START else repository_path.removeprefix("docs/")


def _repository_path(file: File, root: Path) -> str:
    return Path(str(file.abs_src_path)).relative_to(root).as_posix()


@event_priority(100)  # before mkdocstrings reads it
def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Show the reference a package ``epf`` that holds only what it documents."""
    root, package = Path(config.docs_dir).parent, Path(mkdtemp()) / "epf"
    package.mkdir()
    for name in DOCUMENTED:
        (package / name).symlink_to(root / name)
    config.plugins["mkdocstrings"].config.handlers["python"]["paths"] = [str(package.parent)]
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the pages from outside ``docs/``."""
    root = Path(config.docs_dir).parent
    for pattern in OUTSIDE:
        for path in sorted(root.glob(pattern)):
            uri = _site_uri(path.relative_to(root).as_posix())
            files.append(File.generated(config, uri, abs_src_path=str(path)))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Rewrite the page's links for the site."""
    here = _repository_path(page.file, Path(config.docs_dir).parent)

    def rewritten(link: re.Match[str]) -> str:
        target = link["target"]
        if not target or ":" in target:
            return link[0]
        uri = _site_uri(posixpath.normpath(posixpath.join(posixpath.dirname(here), target)))
        if files.get_file_from_path(uri) is None:
            return link["text"]
        relative = posixpath.relpath(uri, posixpath.dirname(page.file.src_uri))
        return f"{link['image']}[{link['text']}]({relative}{link['anchor'] or ''})"

    parts = FENCE.split(markdown)
    return "".join(part if part.startswith("```") else LINK.sub(rewritten, part) for part in parts)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Drop the roles of docstrings, such as ``:func:``, which Markdown does not know."""
    return ROLE.sub("<code>", html)


def on_nav(nav: Navigation, config: MkDocsConfig, files: Files) -> Navigation:
    """Keep the navigation for ``llms.txt``."""
    _navigation[:] = [nav]
    return nav


def on_post_build(config: MkDocsConfig) -> None:
    """Write every page's Markdown next to it, ``llms.txt`` (a list of the pages) and ``llms-full.txt`` (all their text)."""
    site = Path(config.site_dir)
    index = [f"# {config.site_name}", "", f"> {config.site_description}", ""]
    full = []
    section = None
    for page in _navigation[0].pages:
        title = page.parent.title if page.parent else config.site_name
        if title != section:
            section = title
            index += [f"## {title}", ""]
        text = re.sub(r"<!-- .*? -->\n", "", page.markdown or "", flags=re.DOTALL)
        out = site / page.file.src_uri
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8")
        index.append(f"- [{page.title}]({page.file.src_uri})")
        full.append(text.strip())
    (site / "llms.txt").write_text("\n".join(index) + "\n", encoding="utf-8")
    (site / "llms-full.txt").write_text("\n\n\n".join(full) + "\n", encoding="utf-8")
