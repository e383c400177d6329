"""The pages that people read: every link leads somewhere, the glossary and its index agree."""

import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
PAGES = [ROOT / name for name in ("README.md", "GLOSSARY.md", "INSTRUCTOR.md", "benchmarks/README.md",
                                  "asyncpatterns/chatbot/MODEL_CARD.md")]
CHAPTERS = sorted((ROOT / "notebooks").rglob("[0-9]*.ipynb"))


def prose(path):
    """The Markdown of a page or a chapter, without what stands in code blocks."""
    if path.suffix == ".ipynb":
        text = "\n\n".join(cell.source for cell in nbformat.read(path, as_version=4).cells
                           if cell.cell_type == "markdown")
    else:
        text = path.read_text(encoding="utf-8")
    return re.sub(r"^```.*?^```", "", text, flags=re.M | re.S)


def anchors(path):
    """The fragments of a page's headings, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", prose(path), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def broken_links(path):
    for link in LINK.findall(prose(path)):
        if re.match(r"https?:|mailto:", link):
            continue
        file, _, fragment = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        if not target.exists() or (fragment and fragment not in anchors(target)):
            yield link


@pytest.mark.parametrize("path", [page for page in PAGES if page.exists()] + CHAPTERS,
                         ids=lambda path: path.relative_to(ROOT).as_posix())
def test_every_link_leads_somewhere(path):
    assert list(broken_links(path)) == []


def test_a_link_that_leads_nowhere_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# A title\n\n[good](#a-title) [bad](#other) [gone](gone.md)\n\n```\n[code](nothing.md)\n```\n")
    assert list(broken_links(page)) == ["#other", "gone.md"]


def test_the_glossarys_index_names_each_of_its_terms_once():
    index, _, terms = prose(ROOT / "GLOSSARY.md").partition("\n## ")
    named = [link.removeprefix("#") for link in LINK.findall(index)]
    assert named == [re.sub(r"[^\w\- ]", "", term.lower()).replace(" ", "-")
                     for term in re.findall(r"^### (.+)$", terms, re.M)]
