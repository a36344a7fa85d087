"""SARIF: valid by both published forms of its schema, and its places and fixes are those of the diagnostics."""

from __future__ import annotations

import json
import os
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft4Validator, Draft202012Validator

from flowc.compiler import fixes
from flowc.compiler.driver import check_source
from flowc.compiler.render import sarif
from flowc.dsl.diagnostics import Diagnostic, Edit, Fix, Label
from flowc.dsl.spans import Source, Span

ROOT = Path(__file__).parents[2]
BAD = sorted((ROOT / "tests" / "samples" / "bad").iterdir())


@cache
def validators() -> tuple[Draft4Validator, Draft202012Validator]:
    rtm5, errata = (
        json.loads((ROOT / "tests" / "schemas" / name).read_text("utf-8"))
        for name in ("sarif-2.1.0-rtm.5.json", "sarif-2.1.0.json")
    )
    return Draft4Validator(rtm5), Draft202012Validator(errata)


def rendered(source: Source, *diagnostics: Diagnostic) -> Any:
    document = json.loads(sarif.render([(source, diagnostics)]))
    for validator in validators():
        assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)] == []
    (run,) = document["runs"]
    return run


def at(source: Source, region: dict[str, int]) -> Span:
    """A region as offsets, counted anew from what the format says: lines end at line feeds, columns are code points."""
    lines = source.text.split("\n")
    start, end = (
        sum(len(line) + 1 for line in lines[: region[f"{side}Line"] - 1]) + region[f"{side}Column"] - 1
        for side in ("start", "end")
    )
    return Span(start, end)


def test_the_schemas_can_refuse() -> None:
    for validator in validators():
        assert not validator.is_valid({"version": "2.1.0", "runs": [{"tool": {"driver": {}}}]})
        assert not validator.is_valid({"version": "2.1.0", "runs": [], "extra": 1})


@pytest.mark.parametrize("folder", BAD, ids=lambda folder: folder.name)
def test_a_sample(folder: Path) -> None:
    source = Source("flows/flow.flow", (folder / "flow.flow").read_bytes().decode())
    diagnostics = check_source(source, folder).diagnostics
    run = rendered(source, *diagnostics)
    assert run["columnKind"] == "unicodeCodePoints"
    rules = run["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == sorted({item.code for item in diagnostics})
    for rule in rules:
        assert rule["help"]["markdown"].startswith(f"# {rule['id']}: {rule['shortDescription']['text']}\n")
        assert "```" not in rule["help"]["text"]
    assert len(run["results"]) == len(diagnostics)
    for result, item in zip(run["results"], diagnostics, strict=True):
        assert (result["ruleId"], rules[result["ruleIndex"]]["id"], result["level"]) == (
            item.code,
            item.code,
            item.severity,
        )
        assert result["message"]["text"].split("\n")[0] == item.message
        (location,) = result["locations"]
        assert location["physicalLocation"]["artifactLocation"]["uri"] == "flows/flow.flow"
        assert at(source, location["physicalLocation"]["region"]) == item.span
        related = result.get("relatedLocations", [])
        assert [at(source, each["physicalLocation"]["region"]) for each in related] == [
            label.span for label in item.related
        ]
        assert ("fixes" in result) == (item.fix is not None)
        if item.fix:
            assert with_fix(source, result["fixes"][0]) == fixes.apply(source.text, item.fix.edits)


def with_fix(source: Source, fix: dict[str, Any]) -> str:
    """The text after the replacements of a SARIF fix."""
    (change,) = fix["artifactChanges"]
    text = source.text
    for each in reversed(change["replacements"]):
        span = at(source, each["deletedRegion"])
        text = text[: span.start] + each.get("insertedContent", {}).get("text", "") + text[span.end :]
    return text


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_columns_are_code_points(end: str) -> None:
    source = Source("x.flow", f"é{end}🚀漢 bad, more{end}")
    start = source.text.index("bad")
    run = rendered(source, Diagnostic("F0000", "note", "odd", Span(start, start + 3)))
    region = run["results"][0]["locations"][0]["physicalLocation"]["region"]
    assert region == {"startLine": 2, "startColumn": 4, "endLine": 2, "endColumn": 7}


def test_everything_that_a_diagnostic_can_hold() -> None:
    source = Source("x.flow", "one two\nthree")
    fix = Fix("remove", (Edit(Span(0, 4), ""), Edit(Span(8, 13), "3")), certain=True)
    item = Diagnostic("F0202", "warning", "m", Span(4, 9), "here", (Label(Span(0, 3), "why"),), ("h1", "h2"), fix)
    (result,) = rendered(source, item)["results"]
    assert result["message"] == {"text": "m\nhelp: h1\nhelp: h2"}
    assert result["locations"][0]["message"] == {"text": "here"}
    assert [(each["id"], each["message"]["text"]) for each in result["relatedLocations"]] == [(1, "why")]
    assert result["fixes"][0]["description"] == {"text": "remove"}
    assert result["fixes"][0]["properties"] == {"certain": True}
    assert with_fix(source, result["fixes"][0]) == "two\n3"


def test_without_a_place_and_without_anything() -> None:
    (result,) = rendered(Source("x.flow", ""), Diagnostic("F0601", "error", "m"))["results"]
    assert result["locations"] == [{"physicalLocation": {"artifactLocation": {"uri": "x.flow"}}}]
    run = rendered(Source("x.flow", ""))
    assert (run["results"], run["tool"]["driver"]["rules"]) == ([], [])


@pytest.mark.parametrize(
    ("path", "uri"),
    [
        ("flows/a b.flow", "flows/a%20b.flow"),
        ("./x.flow", "x.flow"),
        ("../x.flow", "../x.flow"),
        ("c:x.flow", "c%3Ax.flow"),
        ("100%?#é.flow", "100%25%3F%23%C3%A9.flow"),
        ("/work/x y.flow", "file:///work/x%20y.flow"),
        (os.fsdecode(b"caf\xe9.flow"), "caf%E9.flow"),
    ],
)
def test_paths_become_uris(path: str, uri: str) -> None:
    assert sarif.uri(path) == uri


@given(
    st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1).filter(lambda n: n != ".")
)
def test_a_uri_is_the_path_again(name: str) -> None:
    for path in (f"flows/{name}", name, f"/{name}"):
        parts = urlsplit(sarif.uri(path))
        assert parts.scheme == ("file" if path.startswith("/") else "")
        assert os.fsdecode(unquote_to_bytes(parts.path)) == path
        assert not parts.query + parts.fragment
        rendered(Source(path, ""), Diagnostic("F0601", "error", "m"))
