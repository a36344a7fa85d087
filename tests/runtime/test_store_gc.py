"""Garbage: what may go goes, and nothing that anybody relies on or is about to."""

from __future__ import annotations

import hashlib
import os
import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from flowc.compiler.cli import main
from flowc.runtime import artifacts, layout
from flowc.runtime.artifacts import Artifact, fetch, publish, put_blob
from flowc.runtime.commit import commit_done, write_outputs
from flowc.runtime.errors import Stop
from flowc.runtime.gc import collect, flows
from flowc.runtime.store import Store, StoreError, open_store
from tests.engines.aws import server
from tests.engines.s3.buckets import new_bucket, store_in

DAY = 24 * 3600.0
Aging = Callable[[str, float], None]


@pytest.fixture(params=["local", "s3"])
def aged(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Store, Aging]:
    """A store, and a function that makes an object so many days older."""
    if request.param == "local":
        store = open_store(str(tmp_path / "store"))

        def age(key: str, days: float) -> None:
            path = tmp_path / "store" / key
            then = path.stat().st_mtime - days * DAY
            os.utime(path, (then, then))

        return store, age

    bucket = new_bucket()

    def age_key(key: str, days: float) -> None:
        from moto.s3.models import s3_backends

        held = s3_backends[server.ACCOUNT]["aws"].buckets[bucket].keys[f"some/prefix/{key}"]
        held.last_modified -= timedelta(days=days)

    return store_in(bucket, monkeypatch), age_key


def blob(store: Store, text: str) -> str:
    return put_blob(store, "demo", text.encode())


def keys(store: Store) -> set[str]:
    return {entry.key for entry in store.list("")}


def commit(store: Store, step: str, *found: Artifact) -> None:
    digest = write_outputs(store, "demo", "run", step, "a1", {str(n): one.to_json() for n, one in enumerate(found)})
    commit_done(store, "demo", "run", step, "a1", digest)


def test_old_blobs_that_nothing_names_go_and_all_others_stay(aged: tuple[Store, Aging], tmp_path: Path) -> None:
    store, age = aged
    folder = tmp_path / "made"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub/file").write_text("in a folder")
    (tmp_path / "single").write_text("a file")
    single = publish(store, "demo", "file", tmp_path / "single", "x")
    tree = publish(store, "demo", "dir", folder, "x")
    commit(store, "step", single)
    store.put(
        "demo/run/list/a/1/outputs.json", f'{{"outputs": {{"x": [[{tree.to_json()}]]}}}}'.replace("'", '"').encode()
    )
    old, young = blob(store, "old"), blob(store, "young")
    for digest in (single.blob, tree.blob, hashlib.sha256(b"in a folder").hexdigest(), old):
        age(layout.blob_key("demo", digest), 7.1)
    age(layout.blob_key("demo", young), 6.9)
    before = keys(store)

    assert flows(store) == ("demo",)
    dry = collect(store, "demo", dry_run=True)
    assert keys(store) == before, "a dry run leaves everything, and nothing of its own"
    done = collect(store, "demo")

    assert (dry.blobs, dry.removed, dry.size) == (done.blobs, done.removed, done.size) == (5, 1, 3)
    assert keys(store) == before - {layout.blob_key("demo", old)}
    assert (fetch(store, "demo", tree, tmp_path / "in") / "sub/file").read_text() == "in a folder"
    assert collect(store, "demo").removed == 0


def test_the_age_is_told_by_the_stores_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A laptop whose clock is a month ahead must not take everything for garbage."""
    store = open_store(str(tmp_path / "store"))
    blob(store, "young")
    month = time.time() + 30 * DAY
    monkeypatch.setattr(time, "time", lambda: month)

    assert collect(store, "demo").removed == 0


def test_a_blob_older_than_three_days_is_written_anew(aged: tuple[Store, Aging], tmp_path: Path) -> None:
    store, age = aged
    large = tmp_path / "large"
    large.write_bytes(b"x" * 2_000_000)
    artifact = publish(store, "demo", "file", large, "x")
    small = blob(store, "small")
    for days, anew in ((2.9, False), (0.2, True)):
        for digest in (artifact.blob, small):
            age(layout.blob_key("demo", digest), days)
        publish(store, "demo", "file", large, "x")
        blob(store, "small")
        for digest in (artifact.blob, small):
            old = store.age(layout.blob_key("demo", digest))
            assert old is not None
            assert (old < 60) == anew


class Watched:
    """A store that calls a function before every call; everything else is the store's."""

    def __init__(self, store: Store, before: Callable[[str, str], None]) -> None:
        self._store, self._before = store, before

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if name == "url":
            return found

        def call(key: str, *args: Any) -> Any:
            self._before(name, key)
            return found(key, *args)

        return call


@pytest.mark.parametrize("moment", ["put_new", "modified", "delete"])
def test_a_writer_at_any_moment_of_a_removal_ends_with_its_blob(aged: tuple[Store, Aging], moment: str) -> None:
    store, age = aged
    key = layout.blob_key("demo", blob(store, "wanted"))
    age(key, 8)
    writers: list[threading.Thread] = []

    def write_meanwhile(name: str, at: str) -> None:
        # The writer is let through everything it does not wait for, and the removal goes on.
        if not writers and name == moment and (at == key or name == "put_new"):
            writers.append(threading.Thread(target=blob, args=(store, "wanted")))
            writers[0].start()
            writers[0].join(1)

    watched: Any = Watched(store, write_meanwhile)
    collect(watched, "demo")

    writers[0].join(20)
    assert not writers[0].is_alive()
    assert store.get(key) == b"wanted"
    assert not {found for found in keys(store) if "/gc/" in found}


def test_a_removal_that_was_cut_off_holds_writers_up_for_minutes_only(
    aged: tuple[Store, Aging], monkeypatch: pytest.MonkeyPatch
) -> None:
    store, age = aged
    digest = blob(store, "wanted")
    key, mark = layout.blob_key("demo", digest), layout.condemned_key("demo", digest)
    age(key, 8)

    def cut_off(name: str, at: str) -> None:
        if name == "delete" and at == key:
            raise StoreError("the network is gone")

    watched: Any = Watched(store, cut_off)
    with pytest.raises(Stop, match="the network is gone"):
        collect(watched, "demo")
    assert store.get(mark) is not None, "the request may yet be carried out"
    assert collect(store, "demo").left == 1, "others leave the blob alone"

    monkeypatch.setattr(artifacts, "MARK_LIFE", 1.5)
    blob(store, "wanted")
    assert (store.age(key) or 0) < 60

    age(mark, 1)
    age(key, 8)
    assert [collect(store, "demo").removed for _ in range(2)] == [0, 1], "first the mark goes, then the blob"
    assert keys(store) == set()


@pytest.mark.parametrize("seed", range(3))
def test_collectors_and_writers_at_once(aged: tuple[Store, Aging], seed: int) -> None:
    """Eight writers of eight old contents and three collectors, each call delayed by chance."""
    store, age = aged
    rng, texts = random.Random(seed), [f"text {number}" for number in range(8)]
    jittery: Any = Watched(store, lambda name, key: time.sleep(rng.choice((0, 0, 0.002, 0.02))))
    for text in texts:
        age(layout.blob_key("demo", blob(store, text)), 8)

    def write(text: str) -> str:
        time.sleep(rng.random() * 0.3)
        digest = put_blob(jittery, "demo", text.encode())
        commit(jittery, text.replace(" ", "-"), Artifact("file", digest, 1, "x"))
        return digest

    with ThreadPoolExecutor(11) as pool:
        collectors = [pool.submit(collect, jittery, "demo") for _ in range(3)]
        written = list(pool.map(write, texts))
        for collector in collectors:
            collector.result()

    for text, digest in zip(texts, written, strict=True):
        assert store.get(layout.blob_key("demo", digest)) == text.encode()


def test_what_killed_writers_left_in_a_folder_goes_after_a_day(tmp_path: Path) -> None:
    store = open_store(str(tmp_path / "store"))
    put_blob(store, "demo", b"1")
    folder = tmp_path / "store" / layout.blob_folder("demo")
    old, young = (folder / f".{digit * 32}.tmp" for digit in "ab")
    for path in (old, young):
        path.write_bytes(b"half")
    then = time.time() - 1.1 * DAY
    os.utime(old, (then, then))
    assert [entry.size for entry in store.list("demo")] == [1], "half-written files are never listed"

    collect(store, "demo")

    assert young.exists()
    assert not old.exists()


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = open_store(str(tmp_path / "store"))
    for number in range(3):
        path = tmp_path / "store" / layout.blob_key("demo", blob(store, str(number) * 2000))
        then = time.time() - number * 5 * DAY
        os.utime(path, (then, then))

    assert main(["gc", str(tmp_path / "store"), "--dry-run"]) == 0
    assert capsys.readouterr().out == "demo: would remove 1 of 3 blobs (2 KiB), 2 stay\n"
    assert main(["gc", str(tmp_path / "store"), "--flow", "demo"]) == 0
    assert capsys.readouterr().out == "demo: removed 1 of 3 blobs (2 KiB), 2 stay\n"
    assert main(["gc", str(tmp_path / "store"), "--flow", "dmo"]) == 2
    assert "no blobs of a flow 'dmo'" in capsys.readouterr().err
    assert main(["gc", str(tmp_path / "nothing")]) == 0
    assert "holds no blobs" in capsys.readouterr().out
    assert not (tmp_path / "nothing").exists()
    assert main(["gc", "ftp://x"]) == 2
    assert "unknown kind" in capsys.readouterr().err
