"""The same promises in Azure Blob Storage, by a server of its makers."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from flowc.runtime.artifacts import fetch, publish
from flowc.runtime.commit import commit_done, seal
from flowc.runtime.doctor import check_store
from flowc.runtime.gc import collect, flows
from flowc.runtime.store import Store, StoreError, open_store
from tests.engines import azure
from tests.engines.s3.proxy import Answer, Fault, Lost, Proxy, Reset, Truncated


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with azure.serving() as address:
        yield address


@pytest.fixture
def opened(address: str, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Store]:
    """Opens a store at a URL with the account's key; with an endpoint, there."""
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", azure.ACCOUNT)
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", azure.KEY)
    monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", address)
    return lambda url: open_store(url, 20)


def test_it_is_fit(opened: Callable[[str], Store], address: str) -> None:
    store = opened(f"az://{azure.new_container(address)}/some/prefix")

    assert [finding.verdict for finding in check_store(store)] == ["good"] * 4
    assert list(store.list("")) == []


def test_the_long_form_of_the_url(opened: Callable[[str], Store], address: str) -> None:
    container = azure.new_container(address)
    opened(f"az://{container}/x").put("key", b"1")

    store = opened(f"abfss://{container}@{azure.ACCOUNT}.dfs.core.windows.net/x")

    assert store.get("key") == b"1"


def test_folders_commits_and_garbage(opened: Callable[[str], Store], address: str, tmp_path: Path) -> None:
    store = opened(f"az://{azure.new_container(address)}/p")
    folder = tmp_path / "made"
    (folder / "sub").mkdir(parents=True)
    (folder / "sub/é\n").write_text("x")
    (folder / "large").write_bytes(random.Random(1).randbytes(20 << 20))

    artifact = publish(store, "demo", "dir", folder, "x")
    copy = fetch(store, "demo", artifact, tmp_path / "in")

    assert (copy / "sub/é\n").read_text() == "x"
    assert (copy / "large").read_bytes() == (folder / "large").read_bytes()
    sealed = seal(store, "demo", "run", "step", "none came")
    assert commit_done(store, "demo", "run", "step", "zombie", "0" * 64) == sealed
    assert flows(store) == ("demo",)
    assert (collect(store, "demo").blobs, collect(store, "demo").removed) == (3, 0)


@pytest.mark.parametrize("fault", [Answer(500), Answer(409), Reset(), Lost(), Truncated()], ids=repr)
def test_a_fault_that_passes(
    opened: Callable[[str], Store], address: str, fault: Fault, monkeypatch: pytest.MonkeyPatch
) -> None:
    container = azure.new_container(address)
    faults: list[Fault] = []
    with Proxy(address, lambda request: faults.pop() if faults else None) as proxy:
        monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", f"{proxy.url}/{azure.ACCOUNT}")
        store = opened(f"az://{container}/x")
        for call, expected in (
            (lambda: store.put_new("new", b"1"), True),
            (lambda: store.put_new("new", b"2"), False),
            (lambda: store.put("put", b"12345678"), None),
            (lambda: store.get("put"), b"12345678"),
        ):
            faults.append(fault)
            assert call() == expected
            assert faults == []


def test_no_such_container_and_no_such_key(opened: Callable[[str], Store], monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(StoreError, match="there is no container nowhere"):
        opened("az://nowhere/x").put("key", b"")

    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "QUFBQQ==")
    with pytest.raises(StoreError, match=r"access is denied|not accepted") as refused:
        opened("az://nowhere/x").get("key")
    assert "QUFBQQ" not in str(refused.value)
