"""draw: pictures of a flow.

`draw` turns a model into a `Drawing`, which knows nothing of any format; `render` writes it as text in one of
`FORMATS`. Both are pure and give the same text for the same flow everywhere. Only SVG needs more than Python: the
extra `flowc[svg]`, without which `render` refuses with `Unavailable`.
"""

from __future__ import annotations

from importlib import import_module

from .drawing import Drawing
from .from_model import draw
from .svg import Unavailable

# By the word for `--format`: the module, and the endings of file names that mean it.
FORMATS = {
    "mermaid": (".mmd", ".mermaid"),
    "dot": (".dot", ".gv"),
    "svg": (".svg",),
    "json": (".json",),
}

__all__ = ["FORMATS", "Drawing", "Unavailable", "draw", "format_of", "render"]


def format_of(file_name: str) -> str | None:
    """The format that the ending of a file name means."""
    return next((name for name, endings in FORMATS.items() if file_name.lower().endswith(endings)), None)


def render(drawing: Drawing, format_: str) -> str:
    """`format_` is one of `FORMATS`, each the name of a module here."""
    text: str = import_module(f".{format_}", __name__).render(drawing)
    return text
