"""What a target does not do yet is refused with its place, before anything is emitted or started."""

from __future__ import annotations

from pathlib import Path

import pytest

from flowc.compiler import cli
from flowc.compiler.driver import TARGETS, check_source, compile_source, run_source
from flowc.dsl.diagnostics import Diagnostic
from flowc.dsl.spans import Source
from flowc.targets.pending import CONSTRUCTS

SAMPLES = sorted((Path(__file__).parents[1] / "samples" / "good").iterdir())
CODES = {"argo": "F1014", "sfn": "F2014", "local": "F3001"}
STORE = "s3://bucket/prefix"

STEP = 'step work { run ["work"] }'
# A use of each construct: the flow's inside, and the text that the diagnostic points at.
USES = {
    "foreach": (f"foreach item in [1, 2] {{ {STEP} }}", "item"),
    "if": ("param p: bool = true\nif p { " + STEP + " }", "if p"),
    "repeat": ('repeat max 2 { step work { out ok: bool run ["work", out.ok] } } until work.ok', "repeat max 2"),
    "finally": (f'{STEP}\nfinally {{ step tidy {{ run ["tidy"] }} }}', "tidy"),
    "size": ('param n: int = 2\nstep work parallel(n) { run ["work"] }', "parallel(n)"),
    "main": ('step work parallel(2) { main { cpu = 4 } run ["work"] }', "cpu"),
    "each": ('step work parallel(2) { out each x: int run ["work", out.x] }', "x"),
    "secret": (
        'secret key { argo = "a/b" sfn = "c:d" }\nstep work { env KEY = secret.key run ["work"] }',
        "KEY",
    ),
    "schedule": (f'schedule "0 0 * * *"\n{STEP}', '"0 0 * * *"'),
    "allow_failure": ('step work { allow_failure = true run ["work"] }', "allow_failure"),
    "cache": ('step work { cache = true out x: int run ["work", out.x] }', "cache"),
    "deepspeed": ('step work parallel(2) { deepspeed { procs_per_node = 1 } run ["-m", "work"] }', "deepspeed"),
    "tensorflow": ('step work parallel(2) { tensorflow { } run ["work"] }', "tensorflow"),
    "ray": ('step work parallel(2) { ray { } run ["work"] }', "ray"),
    "mpi": ('step work parallel(2) { mpi { procs_per_node = 1 } run ["work"] }', "mpi"),
}
ON = {
    "argo": 'on argo { queue = "q" }',
    "sfn": 'on sfn { queue = "q" }',
    "local": "on local { cpu = 1 }",
}
# What only a cluster's documents lack. A schedule does no harm here: a run is started by hand.
LOCAL = {"foreach", "if", "repeat", "finally", "size", "main", "each", "secret", "schedule", "allow_failure", "on"}


def said(inside: str, target: str, folder: Path) -> tuple[str, tuple[Diagnostic, ...]]:
    """The text of the flow, and what is said of it apart from warnings and notes; without errors nothing is missing."""
    source = Source("flow.flow", f"flow f {{\n{inside}\n}}\n")
    checked = check_source(source, folder)
    assert [item for item in checked.diagnostics if item.severity == "error"] == []
    if target == "local":
        planned = run_source(source, folder)
        diagnostics, made = planned.diagnostics, planned.build is not None
    else:
        compiled = compile_source(source, folder, target, STORE)
        diagnostics, made = compiled.diagnostics, bool(compiled.files)
    errors = tuple(item for item in diagnostics if item.severity == "error")
    assert made == (not errors)
    return source.text, errors


def test_every_construct_has_an_example() -> None:
    assert USES.keys() | {"on"} == CONSTRUCTS.keys()


@pytest.mark.parametrize("target", CODES)
@pytest.mark.parametrize("construct", USES)
def test_a_construct_that_is_not_built_is_refused_where_it_stands(construct: str, target: str, tmp_path: Path) -> None:
    inside, place = USES[construct]
    text, errors = said(inside, target, tmp_path)
    if target == "local" and construct in LOCAL:
        assert errors == ()
        return
    (error,) = errors
    assert error.code == CODES[target]
    assert error.span is not None
    assert text[slice(*error.span)] == place
    assert error.help == (CONSTRUCTS[construct],)


@pytest.mark.parametrize("target", CODES)
def test_settings_of_the_target_itself_are_refused_and_no_others(target: str, tmp_path: Path) -> None:
    for theirs, block in ON.items():
        _, errors = said(f'step work {{ {block} run ["work"] }}', target, tmp_path)
        refused = theirs == target and target != "local"
        assert [error.code for error in errors] == ([CODES[target]] if refused else [])


def test_settings_of_the_whole_flow_count_too(tmp_path: Path) -> None:
    _, (error,) = said(f"{ON['argo']}\n{STEP}", "argo", tmp_path)
    assert "`on argo`" in error.message


def test_a_construct_that_is_used_often_is_said_once_with_its_places(tmp_path: Path) -> None:
    loops = "\n".join(f'foreach i{n} in [1] {{ step s{n} {{ run ["s"] }} }}' for n in range(6))
    text, (error,) = said(loops, "argo", tmp_path)
    assert error.span is not None
    assert [text[slice(*label.span)] for label in error.related] == ["i1", "i2", "i3"]
    assert error.help[-1] == "and 2 more places"


def test_a_step_inside_a_block_is_looked_at_too(tmp_path: Path) -> None:
    test = 'step test { out ok: bool run ["test", out.ok] }'
    inside = f"foreach i in [1] {{ repeat max 2 {{ {USES['ray'][0]} {test} }} until test.ok }}"
    _, errors = said(inside, "sfn", tmp_path)
    assert [error.message.split(" cannot")[0] for error in errors] == ["`foreach`", "`repeat`", "`ray`"]


def test_flowc_run_starts_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("f.flow").write_text(f"flow f {{ {USES['ray'][0]} }}")
    assert cli.main(["run", "f.flow"]) == 1
    assert "F3001" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["f.flow"]


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("folder", SAMPLES, ids=lambda folder: folder.name)
def test_a_sample_is_compiled_or_refused(folder: Path, target: str) -> None:
    compiled = compile_source(Source("flow.flow", (folder / "flow.flow").read_text()), folder, target, STORE)
    errors = {item.code for item in compiled.diagnostics if item.severity == "error"}
    assert errors <= {CODES[target]}
    assert bool(compiled.files) == (not errors)
