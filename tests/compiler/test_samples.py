"""Whole programs, stage by stage: a folder per program under `tests/samples`, a file per stage.

A good one has its layout (`formatted.flow`, where that is not how it is written), its model, its plan and its graph; a
bad one what is said about it, word by word. Every code of the front end has a bad one.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from flowc.compiler import draw
from flowc.compiler.driver import check_source
from flowc.compiler.lower import lower
from flowc.compiler.model import Model
from flowc.compiler.render import text
from flowc.dsl.diagnostics import Diagnostic, has_errors
from flowc.dsl.format import format_source
from flowc.dsl.spans import Source
from flowc.runtime import plan as plans
from tests.conftest import Golden

from .model_text import model_text

ROOT = Path(__file__).parents[2]
SAMPLES = ROOT / "tests" / "samples"
GOOD = sorted((SAMPLES / "good").iterdir())
BAD = sorted((SAMPLES / "bad").iterdir())

FAULTS = sorted(path for folder in ("dsl", "compiler") for path in (ROOT / folder).glob("*faults.py"))
# Needs a folder that cannot be bundled, see test_driver.
WITHOUT_SAMPLE = {"F0601"}
# Whose message or label is the remedy, or where none is known.
WITHOUT_REMEDY = {
    "F0101": "what was expected is named; what was meant is not always known",
    "F0102": "what is not closed is named",
    "F0114": "any other name will do",
    "F0118": "nobody writes this by hand",
    "F0119": "the mistakes before it are to be put right first",
    "F0120": "what is missing is named, and where",
    "F0201": "no name is near",
    "F0403": "the message shows a value of the kind",
}


def check(folder: Path) -> tuple[Model | None, tuple[Diagnostic, ...], Source]:
    source = Source("flow.flow", (folder / "flow.flow").read_bytes().decode())
    checked = check_source(source, folder)
    return checked.model, checked.diagnostics, source


@pytest.mark.parametrize("folder", GOOD, ids=lambda folder: folder.name)
def test_a_good_program(folder: Path, golden: Golden) -> None:
    model, diagnostics, source = check(folder)
    assert diagnostics == ()
    assert model is not None
    plan = lower(model)
    assert plans.load(plans.dump(plan)) == plan
    formatted, _ = format_source(source)
    assert formatted is not None
    if formatted != source.text:
        golden(folder / "formatted.flow", formatted)
    assert (folder / "formatted.flow").exists() == (formatted != source.text)
    golden(folder / "model.json", model_text(model))
    golden(folder / "plan.json", json.dumps(json.loads(plans.dump(plan)), indent=2, ensure_ascii=False) + "\n")
    golden(folder / "graph.mmd", draw.render(draw.draw(model), "mermaid"))


@pytest.mark.parametrize("folder", BAD, ids=lambda folder: folder.name)
def test_a_bad_program(folder: Path, golden: Golden) -> None:
    model, diagnostics, source = check(folder)
    code = folder.name[:5]
    assert code in {item.code for item in diagnostics}
    assert (model is None) == has_errors(diagnostics)
    golden(folder / "diagnostics.txt", text.render(diagnostics, source))


def codes() -> list[str]:
    return [code for file in FAULTS for code in re.findall(r'"(F\d{4})"', file.read_text())]


def test_every_code_has_a_sample() -> None:
    assert set(codes()) - {folder.name[:5] for folder in BAD} == WITHOUT_SAMPLE


def test_every_code_has_one_constructor() -> None:
    assert len(codes()) == len(set(codes()))


def test_every_diagnostic_says_what_to_do() -> None:
    bare = {item.code for folder in BAD for item in check(folder)[1] if not (item.help or item.fix or item.related)}
    assert bare == WITHOUT_REMEDY.keys()
