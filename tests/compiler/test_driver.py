"""The compiler as a function, with the bundle and the graph that it hands on."""

from __future__ import annotations

import hashlib
from pathlib import Path

import networkx
import pytest

from flowc.compiler.driver import TARGETS, check_source, compile_source, plan_source
from flowc.compiler.values import Reference
from flowc.dsl.spans import Source

TEXT = """flow small {
  step one {
    out x: int
    run ["one", out.x]
  }

  step two {
    in a = one.x
    in b = one.x
    after one
    run ["two", a, b]
  }
}
"""
STORE = "s3://some-bucket/prefix"


def test_the_build_says_what_it_was_made_of(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("")
    planned = plan_source(Source("some/where/small.flow", TEXT), tmp_path, STORE)
    build = planned.build
    assert build is not None
    assert planned.bundle is not None
    assert (build.source_name, build.store, build.plan.source) == ("small.flow", STORE, "small.flow")
    assert build.source_digest == hashlib.sha256(TEXT.encode()).hexdigest()
    assert build.bundle_digest == planned.bundle.digest
    assert [member.name for member in planned.bundle.members] == ["code.py"]
    assert TEXT[slice(*build.model.span_of("two"))] == "two"


def test_an_edge_knows_its_references(tmp_path: Path) -> None:
    model = check_source(Source("small.flow", TEXT), tmp_path).model
    assert model is not None
    graph = model.graph(model.region)
    assert list(networkx.topological_sort(graph)) == ["one", "two"]
    references: tuple[Reference, ...] = graph.edges["one", "two"]["references"]
    assert [(item.output, TEXT[slice(*item.span)]) for item in references] == [
        ("x", "one.x"),
        ("x", "one.x"),
        (None, "one"),
    ]


@pytest.mark.parametrize("target", TARGETS)
def test_errors_mean_no_files(tmp_path: Path, target: str) -> None:
    good = compile_source(Source("small.flow", TEXT), tmp_path, target, STORE)
    assert good.files
    bad = compile_source(Source("small.flow", TEXT.replace("one.x", "one.y")), tmp_path, target, STORE)
    assert (bad.files, bad.bundle) == ((), None)
    assert {item.code for item in bad.diagnostics} == {"F0203"}


def test_a_folder_that_cannot_be_bundled_is_a_diagnostic(tmp_path: Path) -> None:
    (tmp_path / "away").symlink_to("/etc")
    planned = plan_source(Source("small.flow", TEXT), tmp_path)
    assert planned.build is None
    assert [item.code for item in planned.diagnostics] == ["F0601"]


def test_what_a_compile_wrote_is_left_out(tmp_path: Path) -> None:
    before = plan_source(Source("small.flow", TEXT), tmp_path, leave_out=[tmp_path / "build"]).bundle
    (tmp_path / "build").mkdir()
    (tmp_path / "build" / "workflow.yaml").write_text("")
    after = plan_source(Source("small.flow", TEXT), tmp_path, leave_out=[tmp_path / "build"]).bundle
    assert before is not None
    assert after is not None
    assert before.digest == after.digest


@pytest.mark.parametrize("name", ["x" * 5000 + ".py", "a/" * 3000 + "b.py", "back\\\\slash.py", "\\n.py", ".py"])
def test_odd_names_of_files_are_only_missing(tmp_path: Path, name: str) -> None:
    text = f'flow f {{ step s {{ call "{name}:main" }} step t {{ run ["python", "{name}"] }} }}'
    assert {item.code for item in check_source(Source("f.flow", text), tmp_path).diagnostics} == {"F0521"}


def test_odd_python_files_are_diagnostics(tmp_path: Path) -> None:
    contents = {
        "null": b"\0",
        "coding": b"# coding: nonsense\n",
        "deep": b"(" * 5000,
        "minus": b"x = " + b"-" * 100_000 + b"1",
    }
    for name, content in contents.items():
        (tmp_path / f"{name}.py").write_bytes(content)
        text = f'flow f {{ step s {{ call "{name}.py:main" }} }}'
        assert [item.code for item in check_source(Source("f.flow", text), tmp_path).diagnostics] == ["F0522"], name
