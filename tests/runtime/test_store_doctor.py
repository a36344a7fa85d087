"""What the doctor finds in stores that are fit, and in stores that are not."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from flowc.compiler.cli import main
from flowc.runtime.doctor import check_store
from flowc.runtime.store import Store, StoreError, open_store
from tests.engines.s3.buckets import new_bucket, objects, store_in


class Odd:
    """A store of which one thing is not as it should be."""

    def __init__(self, store: Store, **others: Any) -> None:
        self._store, self._others = store, others

    def __getattr__(self, name: str) -> Any:
        return self._others.get(name) or getattr(self._store, name)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return open_store(str(tmp_path / "store"))


def verdicts(store: Any) -> list[str]:
    return [f"{finding.verdict}: {finding.what}" for finding in check_store(store)]


FIT = [
    "good: what is written is read at once, and so is what is written over it",
    "good: of 8 create-only puts at once, one wins",
    "good: what was written is listed",
    "good: what is removed is gone",
]


def test_a_fit_store_is_left_as_it_was(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    assert verdicts(store) == FIT
    assert list(store.list("")) == []

    bucket = new_bucket()
    assert verdicts(store_in(bucket, monkeypatch)) == FIT
    assert objects(bucket) == {}


def test_a_store_that_ignores_create_only_puts_is_unfit(store: Store) -> None:
    """As some S3-compatible servers do, without a word."""

    def replace(key: str, data: bytes) -> bool:
        store.put(key, data)
        return True

    odd: Any = Odd(store, put_new=replace)

    found = list(check_store(odd))

    assert [finding.verdict for finding in found][:2] == ["good", "bad"]
    assert found[1].what == "create-only puts are ignored: a second one replaced the first"
    assert "two attempts of a task could both count" in found[1].remedy


def test_creates_that_are_no_single_step_are_found_out(store: Store) -> None:
    def look_first(key: str, data: bytes) -> bool:
        if store.get(key) is not None:
            return False
        time.sleep(0.2)
        store.put(key, data)
        return True

    assert any("create-only puts at once, 8 won" in line for line in verdicts(Odd(store, put_new=look_first)))


def test_old_bytes_after_a_write_are_unfit(store: Store) -> None:
    assert verdicts(Odd(store, get=lambda key: None))[0].startswith("bad: what was just written is not what is read")


def test_a_wrong_clock_is_a_warning(store: Store) -> None:
    said = verdicts(Odd(store, modified=lambda key: time.time() - 3600))

    assert said[1].startswith("warning: this machine's clock is 3,600 s ahead of the store's")
    assert [line for line in said if line not in FIT] == [said[1]]


def test_a_store_that_may_not_be_listed_or_removed_from_does_for_flows(store: Store) -> None:
    def denied(key: str) -> Any:
        raise StoreError("access is denied")

    odd: Any = Odd(store, list=denied, delete=denied)
    found = list(check_store(odd))

    assert [finding.verdict for finding in found] == ["good", "good", "warning", "warning"]
    assert "gc" in found[2].remedy
    assert ".flowc-doctor/" in found[3].remedy


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--store", str(tmp_path / "store")]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"store {(tmp_path / 'store').as_uri()}",
        *(line.replace("good:", "  ok:") for line in FIT),
    ]
    (tmp_path / "file").write_text("")
    assert main(["doctor", "--store", str(tmp_path / "file")]) == 1
    assert "unfit: cannot write the store" in capsys.readouterr().out
    assert main(["doctor", "--store", "s3://"]) == 2
    assert "names no bucket" in capsys.readouterr().err
