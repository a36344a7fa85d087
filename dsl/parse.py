"""parse: the text of a flow file to its syntax tree.

Takes a `Source`; gives `ast.File`, or None when nothing could be read, and all diagnostics of the syntax. Never raises,
whatever the text. Lark does the reading (`grammar.lark`), `recover` goes on after errors, `build` makes the tree of
dataclasses.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

from . import ast, faults
from .diagnostics import Diagnostic, in_order
from .spans import Source, Span


def parse(source: Source) -> tuple[ast.File | None, tuple[Diagnostic, ...]]:
    at = source.text.find("\0")
    if at >= 0:
        return None, (faults.bad_character("\0", Span(at, at + 1), ("this is no text file",)),)
    with without_collector():
        from . import build, lalr, quick

        parser = lalr.parser()
        tree, tokens = quick.parse(parser, source)
        if tree is not None:
            file, diagnostics = build.build(tree, source, damaged=False)
            return file, in_order(diagnostics)
        # Here, since most texts have nothing to recover from.
        from . import recover

        parsed = recover.recover(parser, source, tokens)
        if parsed.tree is None:
            return None, in_order(parsed.diagnostics)
        file, diagnostics = build.build(parsed.tree, source, damaged=parsed.damaged)
        return file, in_order([*parsed.diagnostics, *diagnostics])


@contextmanager
def without_collector() -> Iterator[None]:
    """Nothing here makes cycles, and the cyclic collector would take three quarters of the time of a large file."""
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
