"""Diagnostics as JSON for programs: one document, `version` 1, fields only ever added within a version.

    {"version": 1, "files": [{"path": …, "diagnostics": [{
        "code": …, "severity": "error" | "warning" | "note", "message": …, "span": … | null, "label": …,
        "related": [{"span": …, "text": …}], "help": [ … ],
        "fix": {"title": …, "certain": …, "edits": [{"span": …, "text": …}]} | null}]}]}

A span is {"start": …, "end": …, "line": …, "column": …, "end_line": …, "end_column": …}: offsets count code points from
0, lines and columns (in code points) from 1, and the end is exclusive. A fix that is certain may be applied unasked.
Users read of this format in docs/ci.md, with a JSON schema.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import Any

from flowc.dsl.diagnostics import Diagnostic
from flowc.dsl.spans import Source, Span

VERSION = 1


def render(files: Iterable[tuple[Source, Sequence[Diagnostic]]]) -> str:
    document = {
        "version": VERSION,
        "files": [
            {"path": source.path, "diagnostics": [_diagnostic(item, source) for item in diagnostics]}
            for source, diagnostics in files
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def _diagnostic(item: Diagnostic, source: Source) -> dict[str, Any]:
    fix = item.fix
    return {
        "code": item.code,
        "severity": item.severity,
        "message": item.message,
        "span": None if item.span is None else _span(item.span, source),
        "label": item.label,
        "related": [{"span": _span(label.span, source), "text": label.text} for label in item.related],
        "help": list(item.help),
        "fix": fix
        and {
            "title": fix.title,
            "certain": fix.certain,
            "edits": [{"span": _span(edit.span, source), "text": edit.text} for edit in fix.edits],
        },
    }


def _span(span: Span, source: Source) -> dict[str, int]:
    start, end = source.position(span.start), source.position(span.end)
    return {
        "start": span.start,
        "end": span.end,
        "line": start.line,
        "column": start.column,
        "end_line": end.line,
        "end_column": end.column,
    }
