"""What the Step Functions target refuses, one test per code."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from flowc.runtime.plan import Plan
from flowc.targets import sfn
from tests.targets.hostile import HOSTILE
from tests.targets.plans import SAMPLES, build, plan, step


def codes(of: Plan, **options: Any) -> list[str]:
    return [diagnostic.code for diagnostic in sfn.limits(build(of, **options))]


def chain(count: int, **settings: Any) -> Plan:
    return plan(*(step(f"s{i}", [f"s{i - 1}"] if i else [], **settings) for i in range(count)))


def comb(count: int) -> Plan:
    """Every step has a leaf beside it: one parallel block inside the other."""
    spine = [step(f"s{i}", [f"s{i - 1}"] if i else []) for i in range(count)]
    teeth = [step(f"t{i}", [f"s{i}"]) for i in range(count)]
    return plan(*spine, *teeth)


def crossing(pairs: int) -> Plan:
    """Independent N shapes, each of which needs one added wait."""
    steps = []
    for i in range(pairs):
        steps += [step(f"a{i}"), step(f"b{i}"), step(f"c{i}", [f"a{i}"]), step(f"d{i}", [f"a{i}", f"b{i}"])]
    return plan(*steps)


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_have_notes_only(name: str) -> None:
    assert {diagnostic.severity for diagnostic in sfn.limits(build(SAMPLES[name]()))} <= {"note"}


@pytest.mark.parametrize(
    ("code", "of", "options"),
    [
        ("F2001", plan(step("s" * 81)), {}),
        ("F2002", plan(step("s" * 60), flow="f" * 60), {}),
        ("F2003", chain(496), {}),
        ("F2006", plan(step("a", image="acme/{{workflow.name}}")), {}),
        ("F2006", plan(step("a", image="x" * 256)), {}),
        ("F2007", plan(step("a", gang=1001)), {}),
        ("F2008", plan(step("a")), {"store": "file:///tmp/store"}),
        ("F2008", plan(step("a")), {"store": "s3://bucket/it's"}),
        ("F2009", plan(step("a", retries=40, retry_wait=1)), {}),
        ("F2010", plan(step("a", timeout=31_536_000)), {}),
        ("F2010", plan(step("a", retries=10**8)), {}),
        ("F2010", plan(step("a"), timeout=31_536_001), {}),
        ("F2011", comb(60), {}),
        ("F2012", chain(100, retries=100), {}),
        ("F2101", crossing(1), {}),
        ("F2102", crossing(11), {}),
        ("F2103", plan(step("a", cpu=0.5)), {}),
    ],
)  # fmt: skip
def test_code(code: str, of: Plan, options: dict[str, Any]) -> None:
    assert code in codes(of, **options)


def test_sizes_are_checked(monkeypatch: pytest.MonkeyPatch) -> None:
    """No flow within the other limits is large enough, so the limits are made smaller."""
    module = sys.modules["flowc.targets.sfn.limits"]  # the package shows the function of this name
    for name, limit in (("MAX_MACHINE", 1000), ("MAX_DEFINITION", 900), ("MAX_TEMPLATE", 5000)):
        monkeypatch.setattr(module, name, limit)
    assert codes(chain(3)) == ["F2004", "F2005", "F2005", "F2005", "F2013"]


def test_the_largest_that_fits() -> None:
    assert codes(chain(495)) == []
    assert codes(plan(step("s" * 80))) == []
    assert codes(comb(50)) == []


def test_a_chain_of_thousands_is_refused_without_trouble() -> None:
    assert codes(chain(5000)) == ["F2003", "F2012"]


def test_an_added_wait_names_both_and_points_at_the_one_that_waits() -> None:
    (note,) = sfn.limits(build(crossing(1)))
    assert "`c0` waits for `b0`" in note.message
    assert note.span is not None
    assert note.span.start == 2


# Odd, and yet images that Batch takes.
LEGAL = ("y", "n", "on", "null", "1e-4", "08", "0x1f", "1_000", "2001-01-01", "Ref::run", "flowc:default")


@pytest.mark.parametrize("text", [text for text in HOSTILE if text not in LEGAL])
def test_hostile_images_are_refused(text: str) -> None:
    assert codes(plan(step("a", image=text))) == ["F2006"]
