"""What stands in the documents of this repository is there, and what may not stand there is not."""

import re
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[2]
DECISIONS: Final = ROOT / "docs/adr"
SECTIONS: Final = (
    "Context",
    "Decision",
    "What else was considered",
    "Consequences",
    "Revisit when",
)
ELSEWHERE: Final = ("http://", "https://", "mailto:")

# Written in parts, so that this file does not mention them itself.
MACHINES: Final = (
    *(f"/{name}/" for name in ("work", "root")),
    "/" + "farm",
    *(f"../shared/{name}" for name in ("design", "reference", "style")),
)


def files(folder: Path = ROOT) -> Iterator[Path]:
    """Every file of the repository that git does not ignore."""
    ignored = [".git", *(ROOT / ".gitignore").read_text(encoding="utf-8").split()]
    for path in sorted(folder.iterdir()):
        names = [path.name, f"/{path.name}"] if folder == ROOT else [path.name]
        if any(fnmatch(name, one.removesuffix("/")) for name in names for one in ignored):
            continue
        if path.is_dir():
            yield from files(path)
        else:
            yield path


DOCUMENTS: Final = [path for path in files() if path.suffix == ".md"]


def prose(path: Path) -> str:
    """A document without its fenced blocks and code."""
    text = path.read_text(encoding="utf-8")
    return re.sub(r"^```.*?^```|`[^`\n]+`", "", text, flags=re.MULTILINE | re.DOTALL)


def links(path: Path) -> list[str]:
    found: list[str] = re.findall(r"\]\(<?([^)\s>]+)", prose(path))
    return [link for link in found if not link.startswith(ELSEWHERE)]


def anchors(path: Path) -> set[str]:
    """The anchors of a document's headings, as GitHub makes them."""
    fenceless = re.sub(
        r"^```.*?^```", "", path.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL
    )
    headings = re.findall(r"^#+ (.+?)\s*$", fenceless, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken(path: Path, link: str) -> bool:
    """Whether a relative *link* of the document at *path* leads nowhere."""
    file, _, anchor = link.partition("#")
    target = path.parent / file if file else path
    if not target.exists():
        return True
    return bool(anchor) and target.suffix == ".md" and anchor not in anchors(target)


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_relative_link_leads_somewhere(path: Path) -> None:
    assert [link for link in links(path) if broken(path, link)] == []


def test_the_documents_are_found_and_have_links() -> None:
    assert {ROOT / "README.md", ROOT / "docs/glossary.md", DECISIONS / "README.md"} <= set(
        DOCUMENTS
    )
    assert sum(len(links(path)) for path in DOCUMENTS) > len(list(DECISIONS.iterdir()))


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# One, two\n[a](#one-two) [b](#three) [c](none.md) [d](page.md#x) `[e](f)`\n")
    assert [link for link in links(page) if broken(page, link)] == [
        "#three",
        "none.md",
        "page.md#x",
    ]


@pytest.mark.parametrize(
    "path", sorted(DECISIONS.glob("[0-9]*.md")), ids=lambda path: str(path.name)
)
def test_every_decision_is_listed_and_has_its_sections(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert tuple(re.findall(r"^## (.+)$", text, flags=re.MULTILINE)) == SECTIONS
    title = re.match(r"# (\d+)\. (.+)\n", text)
    assert title is not None
    number = path.name[:4]
    assert int(title[1]) == int(number)
    assert f"| [{number}]({path.name}) | " in (DECISIONS / "README.md").read_text(encoding="utf-8")


def test_no_two_decisions_have_one_number_and_nothing_else_lies_beside_them() -> None:
    numbers = {path.name[:4] for path in DECISIONS.glob("[0-9]*.md")}
    assert len(list(DECISIONS.iterdir())) == len(numbers) + 1


def test_no_file_names_a_place_that_is_only_on_the_machine_of_whoever_wrote_it() -> None:
    contents = ((path, path.read_bytes()) for path in files())
    texts = ((path, content.decode(errors="replace")) for path, content in contents)
    found = [
        f"{path.relative_to(ROOT)}: {one}"
        for path, text in texts
        for one in MACHINES
        if one in text
    ]
    assert found == []
