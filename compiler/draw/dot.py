"""A drawing in the language of Graphviz.

Clusters are subgraphs; an edge to one leads to the node in it that comes first and is cut off at the border (`lhead`).
What flows back, from the turn before, does not count for the layout. The classes are for the style sheet of `svg`; on
its own the text gives a plain picture in black.
"""

from __future__ import annotations

from .drawing import FINALLY, Cluster, Drawing, Edge, Node, Opened

_INDENT = "  "
_HEAD = """\
  compound=true;
  fontname="Helvetica";
  fontsize=13;
  labeljust=l;
  nodesep=0.35;
  ranksep=0.45;
  node [shape=box, style=rounded, fontname="Helvetica", fontsize=13, height=0.4, margin="0.16,0.07"];
  edge [fontname="Helvetica", fontsize=12, arrowsize=0.7];
"""
_DIAMOND = "shape=diamond, style=solid, width=0.7, height=0.5, margin=0"
_STYLES = {"data": "", "choice": "", "after": "style=dashed", "carried": "style=dotted, constraint=false"}


def render(drawing: Drawing) -> str:
    clusters = {cluster.id for cluster in drawing.clusters}
    lines = [f"digraph {quoted(drawing.flow)} {{\n{_HEAD.rstrip()}"]
    for depth, item in drawing.walk():
        indent = _INDENT * (depth + 1)
        if isinstance(item, Opened):
            lines.append(f"{indent}subgraph {quoted(f'cluster_{item.cluster.id}')} {{")
            lines.append(f"{indent}{_INDENT}{_cluster(item.cluster)}")
        elif isinstance(item, Node):
            lines.append(f"{indent}{quoted(item.id)} [{_node(item)}];")
        else:
            lines.append(f"{indent}}}")
    for edge in drawing.edges:
        target = drawing.entries[edge.target] if edge.target in clusters else edge.target
        attributes = _edge(edge, edge.target if edge.target in clusters else None)
        lines.append(f"{_INDENT}{quoted(edge.source)} -> {quoted(target)} [{attributes}];")
    if drawing.last:
        lines.append(f"{_INDENT}{quoted(drawing.last)} -> {quoted(drawing.entries[FINALLY])} [style=invis];")
    return "\n".join(lines) + "\n}\n"


def _node(node: Node) -> str:
    if node.kind == "choice":
        return f"label={quoted(node.label)}, class=choice, {_DIAMOND}"
    marks = " · ".join(node.marks)
    label = quoted(node.label, marks) if marks else quoted(node.label)
    return f"label={label}, class=gang, peripheries=2" if node.gang else f"label={label}, class=step"


def _cluster(cluster: Cluster) -> str:
    style = "dashed" if cluster.kind in ("arm", "finally") else "solid"
    return f"label={quoted(cluster.label)}; class={cluster.kind}; style={style};"


def _edge(edge: Edge, cluster: str | None) -> str:
    # Graphviz leaves no room between a label and its line; spaces do.
    parts = (
        f"label={quoted(f' {edge.label} ')}" if edge.label else "",
        f"class={edge.kind}",
        _STYLES[edge.kind],
        f"lhead={quoted(f'cluster_{cluster}')}" if cluster else "",
    )
    return ", ".join(filter(None, parts))


def quoted(*lines: str) -> str:
    """A string of the language; the lines one below the other. Graphviz reads HTML's `&name;` in labels."""
    escaped = (line.replace("\\", "\\\\").replace('"', '\\"').replace("&", "&amp;") for line in lines)
    return '"' + "\\n".join(escaped) + '"'
