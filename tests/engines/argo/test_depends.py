"""`depends`: which results let a task run."""

from __future__ import annotations

import pytest

from .depends import parse, results_of
from .errors import UnsupportedField

PHASES = {"ok": "Succeeded", "bad": "Failed", "err": "Error", "skip": "Skipped", "omit": "Omitted"}


def holds(text: str) -> bool:
    logic = parse(text, "here")
    return logic.holds({task: results_of(PHASES[task]) for task in logic.tasks})


@pytest.mark.parametrize(
    "text",
    ["ok.Succeeded", "ok", "skip", "skip.Skipped", "bad.Failed", "err.Errored", "omit.Omitted", "!bad.Succeeded",
     "ok.Succeeded && (bad.Succeeded || bad.Failed)", "ok.Succeeded || ok.Failed && bad.Succeeded", "!!ok.Succeeded",
     "(ok.Succeeded || ok.Skipped) && (skip.Succeeded || skip.Skipped)"],
)  # fmt: skip
def test_the_logic_holds(text: str) -> None:
    assert holds(text)


@pytest.mark.parametrize(
    "text",
    ["bad", "err", "omit", "skip.Succeeded", "err.Failed", "bad.Errored", "ok.Succeeded && bad.Succeeded",
     "!ok.Succeeded", "!(ok.Succeeded || bad.Succeeded)", "(ok || bad) && omit", "ok.Daemoned"],
)  # fmt: skip
def test_the_logic_does_not_hold(text: str) -> None:
    assert not holds(text)


def test_a_bare_name_is_satisfied_by_a_skipped_task_but_not_by_an_omitted_one() -> None:
    assert holds("skip")
    assert not holds("omit")


def test_names_may_hold_hyphens() -> None:
    assert parse("a-b.Succeeded && a", "here").tasks == ("a-b", "a")


def test_results_of_a_fan_out() -> None:
    assert "AnySucceeded" in results_of("Failed", ("Failed", "Succeeded"))
    assert "AllFailed" not in results_of("Failed", ("Failed", "Succeeded"))
    assert "AllFailed" in results_of("Failed", ("Failed", "Failed"))
    assert results_of("Succeeded") == {"Succeeded"}


@pytest.mark.parametrize("text", ["a.Success", "a.succeeded", "a &", "a && ", "(a", "a)", "a b", "a == b", "&& a", "!"])
def test_everything_else_is_refused(text: str) -> None:
    with pytest.raises(UnsupportedField):
        parse(text, "here")
