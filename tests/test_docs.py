"""The pages other than README agree with the code and with each other."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

import epf
from benchmarks.architecture import arrows, layers
from epf.core.version import VERSION

ROOT = Path(__file__).parent.parent


@pytest.mark.parametrize(
    ("schema", "file"),
    [
        ("vendor.citation-file-format", "CITATION.cff"),
        ("vendor.github-issue-forms", ".github/ISSUE_TEMPLATE/bug.yml"),
        ("vendor.github-issue-forms", ".github/ISSUE_TEMPLATE/feature.yml"),
        ("vendor.github-issue-config", ".github/ISSUE_TEMPLATE/config.yml"),
        ("vendor.github-workflows", ".github/workflows/ci.yml"),
        ("vendor.github-workflows", ".github/workflows/release.yml"),
        ("vendor.dependabot", ".github/dependabot.yml"),
    ],
)
@pytest.mark.slow
def test_files_for_the_hosting_platform_are_valid(schema: str, file: str) -> None:
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, file]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout


def test_the_citation_names_this_version() -> None:
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["version"] == VERSION


@pytest.mark.slow
def test_the_generated_parts_are_current() -> None:
    pages = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "docs").glob("*.md"))
    command = [sys.executable, "-m", "cogapp", "--check", "-I", "docs", *pages]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100)
    assert done.returncode == 0, f"run `make docs` and commit what it changed:\n{done.stdout}{done.stderr}"


def test_paths_that_the_pages_name_exist() -> None:
    written = {"runs", "site"}  # what commands write
    rooms = "|".join(path.name for path in ROOT.iterdir() if path.is_dir() and path.name[0] != "." and path.name not in written)
    named = re.compile(rf"`((?:{rooms})/[\w./*-]*)`")
    pages = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
    missing = {
        f"{page.relative_to(ROOT)}: {path}"
        for page in pages
        for path in named.findall(page.read_text(encoding="utf-8"))
        if not any(ROOT.glob(path.rstrip("/")))
    }
    assert missing == set()


def test_the_reference_lists_the_public_names() -> None:
    page = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^::: epf\.(\w+)$", page, flags=re.MULTILINE)) == sorted(epf.__all__)


def test_the_picture_of_the_rooms_shows_every_room_and_import() -> None:
    picture = (ROOT / "docs" / "architecture.svg").read_text(encoding="utf-8")
    rooms = [room for row in layers() for room in row]
    assert set(re.findall(r">([a-z_]+)/<", picture)) == set(rooms)
    assert picture.count('id="patch_') - len(rooms) - 1 == len(arrows(rooms)), "run `python -m benchmarks.architecture`"
