"""What the pages show is true: their programs are checked and run, and their messages are what flowc says."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLOWC = Path(sys.executable).parent / "flowc"
SURVEY = ROOT / "docs" / "graph.svg"

# From a fence to the next one: the language after it, and the text between.
BLOCK = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: str) -> list[tuple[str, str]]:
    return BLOCK.findall((ROOT / page).read_text())


def block(page: str, word: str, language: str = "") -> str:
    """The one block of a page that holds a word."""
    (text,) = [text for found, text in blocks(page) if found == language and word in text]
    return text


def flowc(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(FLOWC), *arguments], cwd=folder, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture
def hello(tmp_path: Path) -> Path:
    """The folder that the guide tells its reader to make."""
    (tmp_path / "hello.flow").write_text(block("docs/getting-started.md", "flow hello"))
    (tmp_path / "words.py").write_text(block("docs/getting-started.md", "def split", "python"))
    return tmp_path


def test_the_flow_of_the_readme_has_no_mistakes(tmp_path: Path) -> None:
    (tmp_path / "digits.flow").write_text(block("README.md", "flow digits"))
    (tmp_path / "prepare.py").write_text("def prepare():\n    return 'digits.npz'\n")
    (tmp_path / "train.py").write_text("")
    checked = flowc("check", "digits.flow", folder=tmp_path)
    assert (checked.returncode, checked.stdout + checked.stderr) == (0, "")


def test_the_first_flow_runs_as_shown(hello: Path) -> None:
    shown = block("docs/getting-started.md", "run 20261122-180941-ab2f")
    done = flowc("run", "hello.flow", folder=hello)
    assert done.returncode == 0, done.stdout + done.stderr
    assert without_what_varies(shown) in without_what_varies(done.stdout)


def test_the_mistakes_are_told_as_shown(hello: Path) -> None:
    path = hello / "hello.flow"
    path.write_text(path.read_text().replace("split.words", "splt.words").replace("words.py:count", "words.py:cuont"))
    checked = flowc("check", "hello.flow", folder=hello)
    assert checked.returncode == 1
    assert (checked.stdout + checked.stderr).strip() == block("docs/getting-started.md", "error[F0202]").strip()


@pytest.fixture
def survey(tmp_path: Path) -> Path:
    """The folder with the flow that the page about pictures draws."""
    (tmp_path / "survey.flow").write_text(block("docs/graph.md", "flow survey", "flow"))
    return tmp_path


def test_the_chart_of_a_flow_is_as_shown(survey: Path) -> None:
    drawn = flowc("graph", "survey.flow", folder=survey)
    assert (drawn.returncode, drawn.stderr) == (0, "")
    assert drawn.stdout == block("docs/graph.md", "flowchart", "mermaid")


def test_pictures_are_written_as_shown(survey: Path) -> None:
    shown = block("docs/graph.md", "wrote survey.svg", "console")
    said = [line for line in shown.splitlines() if not line.startswith("$ ")]
    commands = [line.removeprefix("$ flowc ").split(" > ") for line in shown.splitlines() if line.startswith("$ ")]
    done = [flowc(*command.split(), folder=survey) for command, *_ in commands]
    assert "".join(one.stderr for one in done).splitlines() == said
    # Another Graphviz may set things elsewhere, but not leave anything out.
    texts = [sorted(re.findall(r"<text[^>]*>([^<]*)", path.read_text())) for path in (survey / "survey.svg", SURVEY)]
    assert texts[0] == texts[1]
    assert (survey / "survey.dot").read_text().startswith("digraph")


def test_the_fields_of_a_drawing_are_as_shown(survey: Path) -> None:
    shown = json.loads(block("docs/graph.md", '"clusters"', "json"))
    drawn = json.loads(flowc("graph", "survey.flow", "--format", "json", folder=survey).stdout)
    assert shown.keys() == drawn.keys()
    assert (shown["version"], shown["flow"]) == (drawn["version"], drawn["flow"])
    for part in ("nodes", "clusters", "edges"):
        assert shown[part]
        assert [item for item in shown[part] if item not in drawn[part]] == []


def without_what_varies(text: str) -> str:
    """Without run ids, and with one time for all times."""
    return re.sub(r" *\d+\.\ds\b", " 1.0s", re.sub(r"\d{8}-\d{6}-[0-9a-f]{4}", "ID", text))
