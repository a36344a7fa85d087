"""What the Argo target refuses, one test per code."""

from __future__ import annotations

from typing import Any

import pytest

from flowc.runtime.plan import Param, Plan
from flowc.targets import argo
from tests.targets.hostile import HOSTILE
from tests.targets.plans import SAMPLES, build, linear, plan, step


def codes(of: Plan, **options: Any) -> list[str]:
    return [diagnostic.code for diagnostic in argo.limits(build(of, **options))]


def chain(count: int) -> Plan:
    return plan(*(step(f"s{i}", [f"s{i - 1}"] if i else []) for i in range(count)))


def dense(count: int, name: str) -> Plan:
    names = [f"{name}{i}" for i in range(count)]
    return plan(*(step(each, names[:number]) for number, each in enumerate(names)))


@pytest.mark.parametrize("name", SAMPLES)
def test_samples_have_notes_only(name: str) -> None:
    assert {diagnostic.severity for diagnostic in argo.limits(build(SAMPLES[name]()))} <= {"note"}


@pytest.mark.parametrize(
    ("code", "of", "options"),
    [
        ("F1001", plan(step("a"), flow="f" * 64), {}),
        ("F1002", plan(step("s" * 129)), {}),
        ("F1003", chain(200), {}),
        ("F1003", plan(*(step(f"s{i}", gang=2 if i == 0 else 0) for i in range(199))), {}),
        ("F1004", plan(step("a"), params=tuple(Param(f"p{i}", "int", False, i) for i in range(501))), {}),
        ("F1005", plan(step("a", image="acme/{{workflow.name}}")), {}),
        ("F1006", dense(199, "x" * 100), {}),
        ("F1007", dense(199, "x" * 10), {}),
        ("F1008", plan(step("a"), params=tuple(Param(f"p{i}", "string", False, "x" * 4000) for i in range(30))), {}),
        ("F1009", plan(step("a", gang=100_001)), {}),
        ("F1010", plan(step("a", timeout=2**31)), {}),
        ("F1010", plan(step("a", retries=2**31)), {}),
        ("F1011", plan(step("a", retries=40, retry_wait=1)), {}),
        ("F1012", plan(step("a")), {"store": "s3://bucket/{{x}}"}),
        ("F1013", plan(step("a")), {"store": "file:///tmp/store"}),
        ("F1101", plan(step("a", gang=2)), {}),
    ],
)  # fmt: skip
def test_code(code: str, of: Plan, options: dict[str, Any]) -> None:
    assert code in codes(of, **options)


def test_the_largest_that_fits() -> None:
    assert codes(chain(199)) == []
    assert codes(plan(step("s" * 128), flow="f" * 63)) == []
    assert codes(plan(step("a", retries=25, retry_wait=1))) == []


def test_the_span_is_the_step_at_fault() -> None:
    diagnostics = argo.limits(build(plan(step("a"), step("b", image="no image"))))
    assert [(diagnostic.code, diagnostic.span.start) for diagnostic in diagnostics if diagnostic.span] == [("F1005", 1)]


def test_one_image_is_reported_once() -> None:
    assert codes(plan(step("a", image="no image"), step("b", image="no image"))) == ["F1005"]


# Odd, and yet references that a registry could serve.
LEGAL = ("y", "n", "on", "null", "1e-4", "08", "0x1f", "1_000", "2001-01-01", "Ref::run", "flowc:default", "x" * 5000)


@pytest.mark.parametrize("text", [text for text in HOSTILE if text not in LEGAL])
def test_hostile_images_are_refused(text: str) -> None:
    assert codes(plan(step("a", image=text))) == ["F1005"]


def test_gangs_of_one_need_no_queue() -> None:
    assert codes(plan(step("a", gang=1))) == []


def test_a_document_is_made_for_every_sample() -> None:
    assert argo.render(argo.emit(build(linear())))
