"""The same build gives the same bytes, whatever the hash seed, and names change names only."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from types import ModuleType

import pytest

from flowc.runtime.plan import Plan
from flowc.targets import argo, sfn

from .plans import SAMPLES, build, linear, plan, step

TARGETS = {"argo": argo, "sfn": sfn}
PROGRAM = """
import sys
from flowc.targets import argo, sfn
from tests.targets.plans import SAMPLES, build
for target in (argo, sfn):
    for sample in SAMPLES.values():
        the_build = build(sample())
        print(target.limits(the_build))
        for file in target.render(target.emit(the_build)):
            print(file.name, file.text)
print(sorted(set(sys.modules) & {"hera", "boto3", "botocore", "jinja2", "jsonschema", "torch"}))
"""


def text_of(target: ModuleType, of: Plan) -> str:
    return "".join(f"{file.name}\n{file.text}" for file in target.render(target.emit(build(of))))


def test_hash_seeds_change_nothing() -> None:
    texts = set()
    for seed in ("0", "1", "12345"):
        environment = {**os.environ, "PYTHONHASHSEED": seed}
        command = [sys.executable, "-c", PROGRAM]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        texts.add(done.stdout)
    assert len(texts) == 1
    assert texts.pop().endswith("[]\n")  # none of the heavy packages is imported


@pytest.mark.parametrize("target", TARGETS)
def test_renaming_a_step_changes_its_name_only(target: str) -> None:
    """Also where the new name comes before all others in the alphabet."""
    before, after = (
        plan(step("first"), step(name, ["first"], 2, retries=1), step("mid", ["first"]), step("last", [name, "mid"]))
        for name in ("qqqq", "aaaa")
    )
    texts = [re.sub(r"-[0-9a-f]{16}\b", "-HASH", text_of(TARGETS[target], each)) for each in (before, after)]
    assert texts[0].replace("qqqq", "aaaa") == texts[1]


@pytest.mark.parametrize("target", TARGETS)
def test_emitting_twice_is_the_same(target: str) -> None:
    assert TARGETS[target].emit(build(linear())) == TARGETS[target].emit(build(linear()))


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("name", SAMPLES)
def test_text_is_ascii(target: str, name: str) -> None:
    assert text_of(TARGETS[target], SAMPLES[name]()).isascii()
