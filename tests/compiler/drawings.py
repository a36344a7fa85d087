"""Flows to draw, and drawings made up by hypothesis: any nesting, any edges, texts with every awkward character."""

from __future__ import annotations

from hypothesis import strategies as st

from flowc.compiler.draw import Drawing, draw
from flowc.compiler.draw.drawing import FINALLY, Cluster, Edge, EdgeKind, Gang, Item, Node, Output
from flowc.compiler.model import Model
from flowc.compiler.resolve import resolve
from flowc.dsl.diagnostics import has_errors
from flowc.dsl.parse import parse
from flowc.dsl.spans import Source

# One of everything that a picture shows.
EVERYTHING = """\
## Trains until it is good.
flow everything {
  param workers: int = 4
  param label: string = "a"

  ## Cuts the corpus.
  step split {
    out shards: list[string]
    out total: int
    run bash ''' ./split '''
  }

  foreach shard in split.shards max 8 {
    step tokenize {
      in  shard
      out tokens: file
      out size: int
      run ["tokenize", shard, out.tokens, out.size]
    }
    step stats {
      in  tokens = tokenize.tokens
      out size: int
      allow_failure = true
      run ["stats", tokens, out.size]
    }
  }

  step report {
    in sizes = either(stats.size, 0)[*]
    run ["report", sizes]
  }

  repeat max 5 {
    step train parallel(workers) {
      in  tokens = tokenize[*].tokens
      in  sizes  = tokenize[*].size
      in  total  = split.total
      in  start  = previous(train.loss, 10.0)
      out checkpoint: file
      out loss: float
      out each seconds: float
      run ["train", start, total, tokens, sizes, out.checkpoint, out.loss, out.seconds]
    }
    step eval parallel(2) {
      in  checkpoint = train.checkpoint
      out accuracy: float
      cache = true
      torchrun { }
      run ["-m", "evaluate", checkpoint, out.accuracy]
    }
  } until train.loss < 2.0 and    # good enough
          eval.accuracy >= 0.5

  if train.loss < 2.0 and label == "a  # \\"b\\" <&> $5 `c` #quot;" {
    step publish {
      in checkpoint = train.checkpoint
      in seconds = train[*].seconds
      run ["publish", checkpoint, seconds]
    }
  } else if eval.accuracy > 0.4 {
    step again { run ["again"] }
  } else {
    foreach name in ["x", "y"] {
      step hold { in name run ["hold", name] }
    }
  }

  step tidy { after publish, split run ["tidy"] }

  finally {
    step notify {
      in loss = either(train.loss, 0.0)
      run ["notify", loss]
    }
  }
}
"""


def model_of(text: str) -> Model:
    file, diagnostics = parse(Source("flow.flow", text))
    assert file is not None
    model, more = resolve(file)
    assert not has_errors((*diagnostics, *more)), (*diagnostics, *more)
    return model


def drawing_of(text: str) -> Drawing:
    return draw(model_of(text))


# --- any drawing ------------------------------------------------------------------------------------------------------

TEXTS = st.text(
    st.sampled_from("ab Z09_.,#\"\\<>&;`$*[]{}()|%~-='/é×\u2028😀") | st.characters(codec="utf-8"), max_size=20
)
# What a block's head can be: it begins with a word, and has no line ends, see `from_model.text`.
HEADS = TEXTS.map(lambda text: " ".join(["if", *"".join(filter(str.isprintable, text)).split()]))
# Words that mean something to Mermaid or to Graphviz, beside plain ones.
NAMES = ("end", "style", "graph", "subgraph", "node", "class", "click", "o", "x", "default", "a", "b_0", "finally_")
FORWARD: tuple[EdgeKind, ...] = ("data", "after")


@st.composite
def drawings(pick: st.DrawFn) -> Drawing:
    """Nodes and clusters as `draw` could make them: every cluster holds a step, ids are of the model's forms."""
    names = iter(pick(st.permutations(NAMES)))
    items: list[Item] = []

    def step(parent: str | None) -> None:
        gang = pick(
            st.none()
            | st.builds(Gang, st.sampled_from(("4", "workers", "split.n")), st.sampled_from((None, "torchrun")))
        )
        name = next(names)
        items.append(Node(name, "step", parent, 1, pick(TEXTS), gang, pick(st.booleans()), pick(st.booleans())))

    def region(parent: str | None, depth: int) -> None:
        step(parent)
        while len(items) < 12 and pick(st.booleans()):
            kind = pick(st.sampled_from(("step", "foreach", "repeat", "if") if depth < 4 else ("step",)))
            number = len(items)
            if kind == "step":
                step(parent)
            elif kind == "if":
                items.append(Node(f"if.n{number}", "choice", parent, 1))
                items.append(Cluster(f"if.n{number}/0", "arm", pick(HEADS), parent, 1))
                region(f"if.n{number}/0", depth + 1)
            elif kind == "foreach":
                items.append(Cluster(f"n{number}", "foreach", pick(HEADS), parent, 1))
                region(f"n{number}", depth + 1)
            else:
                items.append(Cluster(f"repeat.n{number}", "repeat", pick(HEADS), parent, 1))
                region(f"repeat.n{number}", depth + 1)

    try:
        region(None, 0)
        if pick(st.booleans()):
            items.append(Cluster(FINALLY, "finally", FINALLY, None, 1))
            step(FINALLY)
    except StopIteration:
        pass
    while isinstance(items[-1], Cluster):
        items.pop()
    return Drawing(pick(st.sampled_from(NAMES)), pick(TEXTS), tuple(items), tuple(_edges(pick, items)))


def _edges(pick: st.DrawFn, items: list[Item]) -> list[Edge]:
    """Forwards, and backwards what is carried; never from within a cluster to it."""
    parents = {item.id: item.parent for item in items}

    def around(name: str | None) -> set[str]:
        found = set()
        while name is not None:
            found.add(name)
            name = parents[name]
        return found

    outputs = st.lists(st.builds(Output, st.sampled_from(NAMES), st.integers(0, 2)), min_size=1, max_size=3)
    edges: dict[tuple[str, str, str], Edge] = {}
    for source, target in pick(st.lists(st.tuples(st.sampled_from(items), st.sampled_from(items)), max_size=15)):
        at, to = items.index(source), items.index(target)
        if isinstance(source, Cluster) or target.id in around(source.parent):
            continue
        kind: EdgeKind = pick(st.sampled_from(FORWARD)) if at < to else "carried"
        names = () if kind == "after" else tuple(pick(outputs))
        edges[source.id, target.id, kind] = Edge(source.id, target.id, kind, names, 1)
    return list(edges.values())
