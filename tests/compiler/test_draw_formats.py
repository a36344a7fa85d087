"""Each format says what the drawing says, no more and no less, in the format's own grammar."""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings

from flowc.compiler.draw import FORMATS, Drawing, draw, format_of, render
from flowc.compiler.draw.drawing import Cluster, Node
from flowc.compiler.draw.svg import graphviz

from .drawings import EVERYTHING, drawing_of, drawings, model_of

SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def everything() -> Drawing:
    return drawing_of(EVERYTHING)


# --- Mermaid ----------------------------------------------------------------------------------------------------------

ID = r"((?:step|foreach|repeat\d*|if\d*|arm)_\w+|finally)"
TEXT = r'"((?:[^"#<>&\\`$\n]|#(?:\d+|quot|lt|gt|amp);|<br/>)*)"'
LINES = {
    "subgraph": re.compile(rf"subgraph {ID}\[{TEXT}\]"),
    "end": re.compile("end"),
    "step": re.compile(rf"{ID}\({TEXT}\)"),
    "gang": re.compile(rf"{ID}\[\[{TEXT}\]\]"),
    "choice": re.compile(rf"{ID}\{{{TEXT}\}}"),
    "edge": re.compile(rf"{ID} (-->|-\.->)(?:\|{TEXT}\|)? {ID}"),
    "below": re.compile(rf"{ID} ~~~ finally"),
}


def mermaid_lines(text: str) -> Iterator[tuple[str, int, tuple[str, ...]]]:
    """Kind, depth and parts of each line, all in a grammar much narrower than Mermaid's own."""
    head, *lines = text.removesuffix("\n").split("\n")
    assert head == "flowchart TD"
    for line in lines:
        words = line.lstrip(" ")
        indent = len(line) - len(words)
        assert indent % 4 == 0
        (found,) = [(kind, match) for kind, form in LINES.items() if (match := form.fullmatch(words))]
        yield found[0], indent // 4 - 1, tuple(part or "" for part in found[1].groups())


ENTITY = re.compile(r"#(\d+|quot|lt|gt|amp);|<br/>")
ENTITIES = {"quot": '"', "lt": "<", "gt": ">", "amp": "&"}


def unescaped(text: str) -> str:
    """In one pass, so that what an escape gives is not read as the start of another."""
    return ENTITY.sub(lambda match: "\n" if match[1] is None else ENTITIES.get(match[1]) or chr(int(match[1])), text)


def check_mermaid(drawing: Drawing) -> None:
    nodes: list[tuple[str, str | None]] = []
    clusters: list[tuple[str, str | None]] = []
    edges: list[tuple[str, str, str]] = []
    around: list[str] = []
    ids: dict[str, str] = {}
    walked = iter(drawing.items)
    for kind, depth, parts in mermaid_lines(render(drawing, "mermaid")):
        if kind == "end":
            around.pop()
            assert depth == len(around)
            continue
        assert depth == (0 if kind in ("edge", "below") else len(around))
        parent = around[-1] if around else None
        if kind == "subgraph":
            item = next(walked)
            assert isinstance(item, Cluster)
            ids[parts[0]] = item.id
            clusters.append((parts[1], parent))
            around.append(item.id)
        elif kind in ("step", "gang", "choice"):
            item = next(walked)
            assert isinstance(item, Node)
            ids[parts[0]] = item.id
            nodes.append((parts[1], parent))
        elif kind == "edge":
            source, _, label, target = parts
            edges.append((ids[source], ids[target], label))
    assert around == []
    assert len(ids) == len(drawing.items)
    shown = [("\n".join((node.label, " · ".join(node.marks))).strip("\n"), node.parent) for node in drawing.nodes]
    assert [(unescaped(label), parent) for label, parent in nodes] == shown
    assert [(unescaped(label), parent) for label, parent in clusters] == [
        (cluster.label, cluster.parent) for cluster in drawing.clusters
    ]
    assert edges == [(edge.source, edge.target, edge.label) for edge in drawing.edges]


def test_mermaid_shows_everything(everything: Drawing) -> None:
    check_mermaid(everything)


@settings(max_examples=200)
@given(drawings())
def test_mermaid_shows_any_drawing(drawing: Drawing) -> None:
    check_mermaid(drawing)


def test_mermaid_tells_gangs_choices_and_what_only_orders_apart(everything: Drawing) -> None:
    text = render(everything, "mermaid")
    assert 'step_train[["train<br/>×workers"]]' in text
    assert 'if_again{"if"}' in text
    assert "step_publish -.-> step_tidy" in text
    assert 'step_train -.->|"previous loss"| step_train' in text


# --- DOT --------------------------------------------------------------------------------------------------------------


def parsed(text: str) -> dict[str, Any]:
    """As Graphviz itself reads it."""
    graph: dict[str, Any] = {"edges": []} | json.loads(graphviz(text, "dot_json"))
    return graph


def plain(label: str) -> str:
    pairs = {"\\\\": "\\", "\\n": "\n"}
    return html.unescape(re.sub(r"\\.", lambda match: pairs[match[0]], label))


def check_dot(drawing: Drawing) -> None:
    graph = parsed(render(drawing, "dot"))
    assert (graph["name"], graph["compound"]) == (drawing.flow, "true")
    names: list[str] = [item["name"].removeprefix("cluster_") for item in graph["objects"]]
    parents = {item.id: item.parent for item in drawing.items}
    labels = {cluster.id: cluster.label for cluster in drawing.clusters}
    labels |= {node.id: "\n".join(filter(None, (node.label, " · ".join(node.marks)))) for node in drawing.nodes}
    assert {name: plain(item["label"]) for name, item in zip(names, graph["objects"], strict=True)} == labels
    for name, item in zip(names, graph["objects"], strict=True):
        assert {names[inner] for inner in item.get("subgraphs", ())} == {
            cluster.id for cluster in drawing.clusters if cluster.parent == name
        }
        assert {names[inner] for inner in item.get("nodes", ())} == {
            node.id for node in drawing.nodes if name in around(parents, node.parent)
        }
    shown: Counter[tuple[str, str, str, str]] = Counter()
    for edge in graph["edges"]:
        head, tail = names[edge["head"]], names[edge["tail"]]
        cluster = edge.get("lhead", "").removeprefix("cluster_")
        assert not cluster or cluster in around(parents, head)
        if edge.get("style") != "invis":
            shown[tail, cluster or head, plain(edge.get("label", "")).strip(), edge["class"]] += 1
    assert shown == Counter((edge.source, edge.target, edge.label, edge.kind) for edge in drawing.edges)


def around(parents: dict[str, str | None], name: str | None) -> set[str]:
    found = set()
    while name is not None:
        found.add(name)
        name = parents[name]
    return found


def test_dot_shows_everything(everything: Drawing) -> None:
    check_dot(everything)


@settings(max_examples=50)
@given(drawings())
def test_dot_shows_any_drawing(drawing: Drawing) -> None:
    check_dot(drawing)


# --- JSON -------------------------------------------------------------------------------------------------------------


def test_json_has_a_version_and_every_field_of_the_drawing(everything: Drawing) -> None:
    document = json.loads(render(everything, "json"))
    assert document["version"] == 1
    assert document["flow"] == {"name": "everything", "doc": "Trains until it is good."}
    (train,) = [node for node in document["nodes"] if node["id"] == "train"]
    assert train == {
        "id": "train",
        "kind": "step",
        "parent": "repeat.eval",
        "line": 34,
        "doc": "",
        "gang": {"size": "workers", "framework": None},
        "allow_failure": False,
        "cache": False,
    }
    assert document["clusters"][0] == {
        "id": "shard",
        "kind": "foreach",
        "text": "foreach shard in split.shards, max 8",
        "parent": None,
        "line": 13,
        "doc": "",
    }
    assert document["edges"][0] == {
        "source": "split",
        "target": "shard",
        "kind": "data",
        "outputs": [{"name": "shards", "stars": 0}],
        "line": 13,
    }
    assert [len(document[key]) for key in ("nodes", "clusters", "edges")] == [
        len(everything.nodes),
        len(everything.clusters),
        len(everything.edges),
    ]


# --- SVG --------------------------------------------------------------------------------------------------------------


def check_svg(drawing: Drawing) -> None:
    text = render(drawing, "svg")
    root = ElementTree.fromstring(text)
    assert root.tag == f"{SVG}svg"
    assert {element.tag for element in root.iter()} <= {
        f"{SVG}{name}" for name in ("svg", "title", "style", "rect", "g", "path", "polygon", "text")
    }
    assert not [name for element in root.iter() for name in element.attrib if name.startswith("on") or "href" in name]
    groups = Counter(group.attrib["class"].split()[0] for group in root.iter(f"{SVG}g"))
    assert groups == {
        key: count
        for key, count in (
            ("graph", 1),
            ("node", len(drawing.nodes)),
            ("cluster", len(drawing.clusters)),
            ("edge", len(drawing.edges)),
        )
        if count
    }
    shown = Counter(element.text or "" for element in root.iter(f"{SVG}text"))
    assert Counter(node.label for node in drawing.nodes) - shown == Counter()


def test_svg_shows_everything(everything: Drawing) -> None:
    check_svg(everything)


@settings(max_examples=50)
@given(drawings())
def test_svg_shows_any_drawing(drawing: Drawing) -> None:
    check_svg(drawing)


def test_svg_is_readable_in_both_themes_and_says_what_it_is(everything: Drawing) -> None:
    text = render(everything, "svg")
    assert "prefers-color-scheme: dark" in text
    root = ElementTree.fromstring(text)
    assert root.findtext(f"{SVG}title") == "everything"
    assert root.attrib["role"] == "img"
    style = root.findtext(f"{SVG}style") or ""
    for theme in style.split("@media"):
        assert {"step", "gang", "choice", "cluster", "edge", "page"} <= set(re.findall(r"\.flowc \.(\w+)", theme))


# --- all of them ------------------------------------------------------------------------------------------------------


def test_the_same_flow_gives_the_same_text_in_every_process() -> None:
    code = (
        "import sys\n"
        "from tests.compiler.drawings import EVERYTHING, drawing_of\n"
        "from flowc.compiler.draw import FORMATS, render\n"
        "for form in FORMATS:\n"
        "    sys.stdout.write(render(drawing_of(EVERYTHING), form))\n"
    )
    texts = {
        subprocess.run(
            [sys.executable, "-c", code],
            cwd=Path(__file__).parents[2],
            env={"PYTHONHASHSEED": seed, "PYTHONIOENCODING": "utf-8"},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(texts) == 1
    assert b"</svg>" in next(iter(texts))


@pytest.mark.parametrize(
    ("name", "format_"),
    [
        ("a.mmd", "mermaid"),
        ("a.mermaid", "mermaid"),
        ("A.SVG", "svg"),
        ("a.gv", "dot"),
        ("a.json", "json"),
        ("a", None),
    ],
)
def test_the_ending_of_a_file_name_means_a_format(name: str, format_: str | None) -> None:
    assert format_of(name) == format_


def test_ten_thousand_steps_in_a_chain() -> None:
    steps = ['step s0 { out x: int run ["s", out.x] }']
    steps += [f'step s{n} {{ in x = s{n - 1}.x out x: int run ["s", x, out.x] }}' for n in range(1, 10_000)]
    model = model_of(f"flow f {{ {' '.join(steps)} finally {{ step last {{ run ['l'] }} }} }}".replace("'", '"'))
    started = time.process_time()
    texts = {form: render(draw(model), form) for form in ("mermaid", "dot", "json")}
    assert time.process_time() - started < 10
    assert "step_s9999 ~~~ finally" in texts["mermaid"]
    assert all(text.count("s9999") >= 2 for text in texts.values())


@pytest.mark.parametrize("format_", FORMATS)
def test_blocks_in_blocks(format_: str) -> None:
    depth = 50
    opened = "".join(f'foreach v{n} in [1] {{ step s{n} {{ run ["s"] }} ' for n in range(depth))
    text = render(drawing_of(f"flow f {{ {opened}{'}' * depth} }}"), format_)
    assert text.count("foreach v49 in [1]") == 1
