"""A drawing as a Mermaid flowchart, which GitHub and many editors show in place.

Ids carry a prefix of ours, since a node called `end` or `style` ends or breaks the chart. Labels are quoted, with
Mermaid's own `#name;` escapes for whatever it gives a meaning: its Markdown, its line breaks, HTML. No colours are set,
so that a chart follows the page's light or dark theme. A gang has double sides; what only orders is dotted.
"""

from __future__ import annotations

from .drawing import FINALLY, Cluster, Drawing, Node, Opened

_INDENT = "    "
_ARROWS = {"data": "-->", "choice": "-->", "after": "-.->", "carried": "-.->"}
# By what it stands between: rounded for steps, doubled for gangs, a diamond for choices.
_SHAPES = {"step": ("(", ")"), "gang": ("[[", "]]"), "choice": ("{", "}")}

# The names of the others begin with words that no step's id begins with.
_PREFIXED = ("step", "foreach", "arm")

_ESCAPES = str.maketrans(
    {"#": "#35;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "&": "#amp;", "\\": "#92;", "`": "#96;", "$": "#36;"}
)


def render(drawing: Drawing) -> str:
    ids = {item.id: id_of(item) for item in drawing.items}
    lines = ["flowchart TD"]
    for depth, item in drawing.walk():
        indent = _INDENT * (depth + 1)
        if isinstance(item, Opened):
            lines.append(f'{indent}subgraph {ids[item.cluster.id]}["{_escaped(item.cluster.label)}"]')
        elif isinstance(item, Node):
            left, right = _SHAPES["gang" if item.gang else item.kind]
            lines.append(f'{indent}{ids[item.id]}{left}"{_label(item)}"{right}')
        else:
            lines.append(f"{indent}end")
    for edge in drawing.edges:
        label = f'|"{_escaped(edge.label)}"|' if edge.label else ""
        lines.append(f"{_INDENT}{ids[edge.source]} {_ARROWS[edge.kind]}{label} {ids[edge.target]}")
    if drawing.last:
        lines.append(f"{_INDENT}{ids[drawing.last]} ~~~ {ids[FINALLY]}")
    return "\n".join(lines) + "\n"


def id_of(item: Node | Cluster) -> str:
    """Different for different items: no kind's prefix is another's, and `if.a/0` is told from `if.a_0` by `arm_`."""
    prefix = f"{item.kind}_" if item.kind in _PREFIXED else ""
    return prefix + item.id.replace(".", "_").replace("/", "_")


def _label(node: Node) -> str:
    marks = _escaped(" · ".join(node.marks))
    return f"{_escaped(node.label)}<br/>{marks}" if marks else _escaped(node.label)


def _escaped(text: str) -> str:
    return text.translate(_ESCAPES)
