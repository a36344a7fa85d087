"""What a picture of a flow shows, before any format."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowc.compiler.draw import Drawing, draw
from flowc.compiler.draw.drawing import Closed, Edge, Node, Opened
from flowc.compiler.draw.from_model import text
from flowc.compiler.driver import check_source
from flowc.compiler.model import FanOut, Loop, Model
from flowc.dsl.spans import Source, Span

from .drawings import EVERYTHING, drawing_of, model_of

GOOD = sorted((Path(__file__).parents[1] / "samples" / "good").iterdir())


@pytest.fixture(scope="module")
def everything() -> Drawing:
    return drawing_of(EVERYTHING)


def node(drawing: Drawing, name: str) -> Node:
    (found,) = [node for node in drawing.nodes if node.id == name]
    return found


def between(drawing: Drawing, source: str, target: str) -> list[tuple[str, str]]:
    return [(edge.kind, edge.label) for edge in drawing.edges if (edge.source, edge.target) == (source, target)]


def heads(drawing: Drawing) -> dict[str, str]:
    return {cluster.id: cluster.text for cluster in drawing.clusters}


# --- nodes ------------------------------------------------------------------------------------------------------------


def test_a_step_is_a_node_with_its_place_and_its_documentation(everything: Drawing) -> None:
    split = node(everything, "split")
    assert (split.kind, split.parent, split.line, split.doc) == ("step", None, 7, "Cuts the corpus.")


@pytest.mark.parametrize(
    ("step", "marks"),
    [
        ("split", ()),
        ("stats", ("may fail",)),
        ("train", ("×workers",)),
        ("eval", ("×2 torchrun", "cached")),
    ],
)
def test_what_is_unusual_about_a_step_is_marked(everything: Drawing, step: str, marks: tuple[str, ...]) -> None:
    assert node(everything, step).marks == marks


# --- blocks -----------------------------------------------------------------------------------------------------------


def test_a_block_is_a_cluster_whose_head_is_the_programs_own_text(everything: Drawing) -> None:
    assert heads(everything) == {
        "shard": "foreach shard in split.shards, max 8",
        "repeat.eval": "repeat max 5 until train.loss < 2.0 and eval.accuracy >= 0.5",
        "if.again/0": 'if train.loss < 2.0 and label == "a  # \\"b\\" <&> $5 `c` #quot;"',
        "if.again/1": "else if eval.accuracy > 0.4",
        "if.again/2": "else",
        "name": 'foreach name in ["x", "y"]',
        "finally": "finally",
    }


def test_a_head_over_several_lines_goes_on_one_and_loses_its_comments() -> None:
    model = model_of("flow f { step s { run ['x'] } }".replace("'", '"'))
    written = 'a.x <  # small\n  2 or\n\n# why "not"\n"#  \\"kept\\"  #" == b'
    object.__setattr__(model, "source", Source("flow.flow", written))
    assert text(model, Span(0, len(written))) == 'a.x < 2 or "#  \\"kept\\"  #" == b'


@pytest.mark.parametrize("odd", ["\x07", "\x7f", "\u2028", "\ufffe", "\u202e"])
def test_a_head_has_no_characters_that_are_not_seen(odd: str) -> None:
    model = model_of('flow f { step s { run ["x"] } }')
    object.__setattr__(model, "source", Source("flow.flow", f'"a{odd}b"'))
    assert text(model, Span(0, 5)) == '"a\N{REPLACEMENT CHARACTER}b"'


def test_a_long_head_is_cut_where_it_is_shown() -> None:
    condition = " or ".join(["flag"] * 20)
    drawing = drawing_of(f'flow f {{ param flag: bool = true if {condition} {{ step s {{ run ["s"] }} }} }}')
    (cluster,) = drawing.clusters
    assert cluster.text == f"if {condition}"
    assert len(cluster.label) == 80
    assert cluster.text.startswith(cluster.label.removesuffix("…"))


def test_what_stands_in_a_block_is_drawn_in_it(everything: Drawing) -> None:
    parents = {item.id: item.parent for item in everything.items}
    assert parents["tokenize"] == "shard"
    assert parents["if.again"] is None
    assert (parents["hold"], parents["name"], parents["if.again/2"]) == ("name", "if.again/2", None)
    assert parents["notify"] == "finally"


def test_walking_opens_and_closes_clusters_in_the_order_of_the_file(everything: Drawing) -> None:
    shown = []
    for depth, item in everything.walk():
        match item:
            case Opened():
                shown.append(f"{depth} {item.cluster.id} (")
            case Closed():
                shown.append(f"{depth} )")
            case Node():
                shown.append(f"{depth} {item.id}")
    assert shown == [
        *("0 split", "0 shard (", "1 tokenize", "1 stats", "0 )", "0 report"),
        *("0 repeat.eval (", "1 train", "1 eval", "0 )"),
        *("0 if.again", "0 if.again/0 (", "1 publish", "0 )", "0 if.again/1 (", "1 again", "0 )"),
        *("0 if.again/2 (", "1 name (", "2 hold", "1 )", "0 )"),
        *("0 tidy", "0 finally (", "1 notify", "0 )"),
    ]


# --- edges ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "target", "kind", "label"),
    [
        ("tokenize", "stats", "data", "tokens"),
        ("tokenize", "train", "data", "[*].tokens, [*].size"),  # a join, and two outputs on one edge
        ("stats", "report", "data", "[*].size"),  # either(…)[*]
        ("train", "publish", "data", "checkpoint, [*].seconds"),  # of each node
        ("split", "shard", "data", "shards"),  # a loop waits for its list,
        ("train", "if.again", "data", "loss"),  # a choice for what its conditions read
        ("eval", "if.again", "data", "accuracy"),
        ("if.again", "if.again/2", "choice", ""),
        ("publish", "tidy", "after", ""),
        ("train", "train", "carried", "previous loss"),
        ("train", "notify", "data", "loss"),  # what `finally` reads
    ],
)
def test_an_edge_says_why_it_is_there(everything: Drawing, source: str, target: str, kind: str, label: str) -> None:
    assert between(everything, source, target) == [(kind, label)]


def test_an_until_makes_no_edge_to_its_own_block(everything: Drawing) -> None:
    assert not [edge for edge in everything.edges if edge.target == "repeat.eval"]


def test_the_size_of_a_gang_is_read_too() -> None:
    drawing = drawing_of(
        'flow f { step a { out n: int run ["a", out.n] } step b parallel(a.n) { run ["b"] } step c { run ["c"] } }'
    )
    assert between(drawing, "a", "b") == [("data", "n")]
    assert node(drawing, "b").marks == ("×a.n",)


def test_the_first_value_of_previous_is_not_carried() -> None:
    drawing = drawing_of(
        """flow f {
  step a { out x: float run ["a", out.x] }
  repeat max 2 {
    step b { in y = previous(c.x, a.x) run ["b", y] }
    step c { out x: float run ["c", out.x] }
  } until c.x < 1
}"""
    )
    assert between(drawing, "a", "b") == [("data", "x")]
    assert between(drawing, "c", "b") == [("carried", "previous x")]


def test_the_line_of_an_edge_is_that_of_its_first_reason(everything: Drawing) -> None:
    (edge,) = [edge for edge in everything.edges if (edge.source, edge.target) == ("tokenize", "train")]
    assert EVERYTHING.splitlines()[edge.line - 1].strip() == "in  tokens = tokenize[*].tokens"


# --- laws -------------------------------------------------------------------------------------------------------------


def models() -> list[Model]:
    found = [model_of(EVERYTHING)]
    for folder in GOOD:
        model = check_source(Source("flow.flow", (folder / "flow.flow").read_text()), folder).model
        assert model is not None, folder.name
        found.append(model)
    return found


@pytest.mark.parametrize("model", models(), ids=lambda model: model.name)
def test_every_step_and_every_edge_of_the_model_is_drawn(model: Model) -> None:
    drawing = draw(model)
    ids = [item.id for item in drawing.items]
    assert len(ids) == len(set(ids))
    assert [node.id for node in drawing.nodes if node.kind == "step"] == [step.name for step in model.steps]
    for edge in model.edges:
        reader = model.node(edge.reader)
        target = reader.region.name if isinstance(reader, FanOut | Loop) else reader.name
        assert any(reason(drawn, edge.reference.output) for drawn in ends(drawing, edge.reference.step, target))


def ends(drawing: Drawing, source: str, target: str) -> list[Edge]:
    return [edge for edge in drawing.edges if (edge.source, edge.target) == (source, target)]


def reason(edge: Edge, output: str | None) -> bool:
    return edge.kind == "after" if output is None else output in {item.name for item in edge.outputs}


def test_what_comes_first_in_a_cluster_and_last_of_all() -> None:
    drawing = drawing_of(
        """flow f {
  foreach i in [1, 2] {
    step late { in x = early.x run ["late", x] }
    step early { out x: int run ["early", out.x] }
  }
  step alone { run ["alone"] }
  finally { step notify { run ["notify"] } }
}"""
    )
    assert drawing.entries == {"i": "early", "finally": "notify"}
    assert drawing.last == "late"
