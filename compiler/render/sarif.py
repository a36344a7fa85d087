"""Diagnostics as SARIF 2.1.0, the format that code-scanning services take.

Takes files with their diagnostics; gives one document with one run. The rules are the codes that occur, each with its
explain page as help. Lines and columns count from 1 and the end is exclusive, columns in code points, and line ends are
those of the format's default: just what `Source.position` gives. Paths become relative URIs, to be read from the
repository's root; what was named by an absolute path becomes a `file:` URI.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

from flowc.compiler import explain
from flowc.dsl.diagnostics import Diagnostic, Fix, Label
from flowc.dsl.spans import Source, Span
from flowc.dsl.version import VERSION

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"

Json = dict[str, Any]


def render(files: Iterable[tuple[Source, Sequence[Diagnostic]]]) -> str:
    found = [(source, item) for source, diagnostics in files for item in diagnostics]
    levels = {item.code: item.severity for _, item in found}
    codes = sorted(levels)
    document = {
        "$schema": SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "flowc",
                        "version": VERSION,
                        "rules": [_rule(code, levels[code]) for code in codes],
                    }
                },
                "columnKind": "unicodeCodePoints",
                "results": [_result(item, source, codes.index(item.code)) for source, item in found],
            }
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def _rule(code: str, level: str) -> Json:
    rule: Json = {"id": code, "defaultConfiguration": {"level": level}}
    if (page := explain.find(code)) is not None:
        rule |= {
            "shortDescription": {"text": page.title},
            "fullDescription": {"text": page.summary},
            "help": {"text": explain.as_text(page), "markdown": page.markdown},
        }
    return rule


def _result(item: Diagnostic, source: Source, index: int) -> Json:
    message = "\n".join([item.message, *(f"help: {help_}" for help_ in item.help)])
    location = {"physicalLocation": _place(source, item.span)}
    if item.label:
        location["message"] = {"text": item.label}
    result: Json = {
        "ruleId": item.code,
        "ruleIndex": index,
        "level": item.severity,
        "message": {"text": message},
        "locations": [location],
    }
    if item.related:
        result["relatedLocations"] = [_related(label, source, number) for number, label in enumerate(item.related, 1)]
    if item.fix is not None:
        result["fixes"] = [_fix(item.fix, source)]
    return result


def _related(label: Label, source: Source, number: int) -> Json:
    return {"id": number, "physicalLocation": _place(source, label.span), "message": {"text": label.text}}


def _fix(fix: Fix, source: Source) -> Json:
    replacements = []
    for edit in fix.edits:
        replacement: Json = {"deletedRegion": _region(source, edit.span)}
        if edit.text:
            replacement["insertedContent"] = {"text": edit.text}
        replacements.append(replacement)
    return {
        "description": {"text": fix.title},
        "artifactChanges": [{"artifactLocation": {"uri": uri(source.path)}, "replacements": replacements}],
        "properties": {"certain": fix.certain},
    }


def _place(source: Source, span: Span | None) -> Json:
    place: Json = {"artifactLocation": {"uri": uri(source.path)}}
    if span is not None:
        place["region"] = _region(source, span)
    return place


def _region(source: Source, span: Span) -> Json:
    start, end = source.position(span.start), source.position(span.end)
    return {"startLine": start.line, "startColumn": start.column, "endLine": end.line, "endColumn": end.column}


def uri(path: str) -> str:
    """A path as it stands in a URI: percent-encoded, and without the `:` that would make its beginning a scheme."""
    pure = PurePosixPath(path)
    return ("file://" if pure.is_absolute() else "") + quote(os.fsencode(pure.as_posix()), safe="/")
