"""The language's chapter of the manual: its tables are the code's own, and its programs have no mistakes."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from flowc.compiler import manual
from flowc.compiler.cli import main
from flowc.compiler.driver import check_source
from flowc.dsl import tables
from flowc.dsl.format import format_source
from flowc.dsl.spans import Source
from tests.conftest import Golden

PAGE = Path(__file__).parents[2] / "docs" / "language.md"
TEXT = PAGE.read_text()
# From a fence to the next one: the language, the name of a file, and the text between.
BLOCKS = re.findall(r"^```(\w*)(?: file=(\S+))?\n(.*?)^```$", TEXT, re.MULTILINE | re.DOTALL)
PROGRAMS = [text for language, _, text in BLOCKS if language == "flow"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The code that the page shows beside its programs."""
    for _, name, text in BLOCKS:
        if name:
            (tmp_path / name).write_text(text)
    return tmp_path


def test_the_tables_are_up_to_date(golden: Golden) -> None:
    golden(PAGE, manual.filled(TEXT))


def test_every_table_is_in_the_chapter() -> None:
    assert set(re.findall(r"<!-- table: ([a-z. ]+) -->", TEXT)) == set(manual.made())


def test_no_program_of_the_page_is_passed_over() -> None:
    assert TEXT.count("```flow\n") == len(PROGRAMS) > 8
    assert len(re.findall(r"^flow \w+ {$", TEXT, re.MULTILINE)) == len(PROGRAMS)


@pytest.mark.parametrize("text", PROGRAMS, ids=lambda text: re.findall(r"^flow (\w+)", text, re.MULTILINE)[0])
def test_a_program_of_the_page_has_no_mistakes(text: str, folder: Path) -> None:
    source = Source("page.flow", text)
    assert check_source(source, folder).diagnostics == ()
    assert format_source(source)[0] == text


def test_the_settings_are_explained_as_shown(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (shown,) = [text for _, _, text in BLOCKS if text.startswith("$ flowc check")]
    command, _, table = shown.partition("\n")
    words = shlex.split(command.removeprefix("$ flowc "))
    (program,) = [text for text in PROGRAMS if text.startswith("flow train {")]
    (folder / words[1]).write_text(program)
    words[1] = str(folder / words[1])
    assert main(words) == 0
    assert capsys.readouterr().out == table


def test_links_inside_the_page_lead_somewhere() -> None:
    headings = re.findall(r"^#+ (.*)$", re.sub(r"^```.*?^```$", "", TEXT, flags=re.S | re.M), re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\(#([^)]*)\)", TEXT)) <= anchors
    for name in re.findall(r"\]\(([a-z-]+\.md)\)", TEXT):
        assert (PAGE.parent / name).is_file()


def test_each_word_of_the_language_is_shown_in_a_program() -> None:
    shown = set(re.findall(r"[a-z_]+", " ".join(PROGRAMS)))
    assert tables.KEYWORDS - shown <= {"call", "edition", "not", "after", "true"} - shown
