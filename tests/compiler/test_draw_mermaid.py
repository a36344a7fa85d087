"""Mermaid itself reads what we write, and finds in it the nodes, boxes and edges that we meant."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from flowc.compiler.draw import Drawing, mermaid, render
from flowc.compiler.draw.drawing import Cluster
from tests import npm

from .drawings import EVERYTHING, drawing_of, drawings

HOME = Path(__file__).parent / "mermaid"
GOOD = sorted((Path(__file__).parents[1] / "samples" / "good").glob("*/graph.mmd"))


def read(charts: dict[str, str]) -> dict[str, Any]:
    """What Mermaid understands of each chart, see `mermaid/parse.mjs`."""
    done = subprocess.run(
        ["node", str(HOME / "parse.mjs"), str(npm.installed(HOME))],
        input=json.dumps(charts),
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def shown(text: str) -> str:
    """A label as a reader sees it: Mermaid hides the escapes from its own grammar until it draws."""
    text = re.sub("ﬂ°°(\\d+)¶ß", lambda match: chr(int(match[1])), text)
    names = {"quot": '"', "lt": "<", "gt": ">", "amp": "&"}
    return re.sub("ﬂ°(\\w+)¶ß", lambda match: names[match[1]], text).replace("<br>", "\n")


def check(drawing: Drawing, found: Any) -> None:
    assert "error" not in found, found
    ids = {item.id: mermaid.id_of(item) for item in drawing.items}
    assert {name: shown(text) for name, text in found["nodes"].items() if name not in found["clusters"]} == {
        ids[node.id]: "\n".join(filter(None, (node.label, " · ".join(node.marks)))) for node in drawing.nodes
    }
    assert {name: (shown(title), set(inner)) for name, (title, inner) in found["clusters"].items()} == {
        ids[item.id]: (item.label, {ids[inner.id] for inner in drawing.items if inner.parent == item.id})
        for item in drawing.items
        if isinstance(item, Cluster)
    }
    below = [[ids[drawing.last], "finally", ""]] if drawing.last else []
    assert [[source, target, shown(text)] for source, target, text in found["edges"]] == [
        *([ids[edge.source], ids[edge.target], edge.label] for edge in drawing.edges),
        *below,
    ]


def test_mermaid_reads_every_good_program() -> None:
    found = read({path.parent.name: path.read_text() for path in GOOD})
    assert set(found) == {path.parent.name for path in GOOD}
    assert {name: chart["error"] for name, chart in found.items() if "error" in chart} == {}


def test_mermaid_finds_everything_that_was_drawn() -> None:
    drawing = drawing_of(EVERYTHING)
    check(drawing, read({"it": render(drawing, "mermaid")})["it"])


# Many at once: starting it costs a second or two, and there is no use in shrinking what can be looked at one by one.
@settings(max_examples=3, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(st.lists(drawings(), min_size=15, max_size=15))
def test_mermaid_finds_everything_in_any_drawing(many: list[Drawing]) -> None:
    found = read({str(number): render(drawing, "mermaid") for number, drawing in enumerate(many)})
    for number, drawing in enumerate(many):
        check(drawing, found[str(number)])


def test_the_reader_sees_mistakes() -> None:
    assert "error" in read({"bad": "flowchart TD\n  end\n"})["bad"]


@pytest.mark.parametrize("word", ["end", "style", "default", "o"])
def test_words_of_mermaid_are_fine_as_names(word: str) -> None:
    drawing = drawing_of(f'flow f {{ step {word} {{ run ["a"] }} step b {{ after {word} run ["b"] }} }}')
    assert f"step_{word}" in render(drawing, "mermaid")
