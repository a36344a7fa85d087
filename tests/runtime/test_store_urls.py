"""Where a store is, and what a URL must not hold; what the environment and AWS's files say of credentials."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flowc.runtime.store import StoreError, open_store
from flowc.runtime.store.aws import settings
from flowc.runtime.store.urls import Place, locate


@pytest.mark.parametrize(
    ("url", "place", "again"),
    [
        ("s3://bucket/some/prefix", Place("s3", "bucket", "some/prefix"), "s3://bucket/some/prefix"),
        ("s3://bucket", Place("s3", "bucket"), "s3://bucket"),
        ("s3://bucket/", Place("s3", "bucket"), "s3://bucket"),
        ("s3://my.bucket-1/a b/é/", Place("s3", "my.bucket-1", "a b/é"), "s3://my.bucket-1/a b/é"),
        ("gs://bucket/prefix", Place("gs", "bucket", "prefix"), "gs://bucket/prefix"),
        ("az://container/prefix", Place("az", "container", "prefix"), "az://container/prefix"),
        (
            "abfs://box@account.dfs.core.windows.net/prefix",
            Place("az", "box", "prefix", "account.dfs.core.windows.net"),
            "abfss://box@account.dfs.core.windows.net/prefix",
        ),
        ("file:///a%20b/c", Place("local", "/a b/c"), "file:///a%20b/c"),
        ("file://localhost/a", Place("local", "/a"), "file:///a"),
        ("/a b/é?x#y", Place("local", "/a b/é?x#y"), "file:///a%20b/%C3%A9%3Fx%23y"),
    ],
)
def test_places(url: str, place: Place, again: str) -> None:
    assert locate(url) == place
    assert place.url == again
    assert locate(again) == place, "nodes get the URL in this form"


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("gopher://x", "the store gopher://x is of an unknown kind; use s3://bucket/prefix, gs://"),
        ("s3a://bucket/x", r"did you mean s3://bucket/x\?"),
        ("gcs://bucket/x", r"did you mean gs://bucket/x\?"),
        ("", "the store has no name"),
        ("s3:///x", "names no bucket; write it as s3://bucket/prefix"),
        ("az:///x", "names no container"),
        ("s3://bucket/a//x", "has an empty part"),
        ("s3://bucket/../x", "'..'"),
        ("s3://minio:9000/bucket", "names a host and a port where the bucket belongs; .*AWS_ENDPOINT_URL_S3"),
        ("abfs://box/prefix", "lacks an account"),
        ("file://host/x", "absolute"),
        ("s3://[x", "is no URL"),
    ],
)
def test_what_is_no_place(url: str, said: str) -> None:
    with pytest.raises(StoreError, match=said):
        locate(url)


@pytest.mark.parametrize(
    "url",
    [
        "s3://AKIA:SECRET@bucket/x",
        "s3a://AKIA:SECRET@bucket/x",
        "gs://SECRET@bucket/x",
        "az://container/x?sv=1&sig=SECRET",
        "s3://bucket/x#SECRET",
        "https://account.blob.core.windows.net/c?sig=SECRET",
        "abfs://box:SECRET@account.dfs.core.windows.net/x",
        "s3://AKIA:SECRET@bucket:x/y",
        "ftp://user:SECRET@host/x",
    ],
)
def test_no_url_carries_a_secret_and_no_message_repeats_one(url: str) -> None:
    with pytest.raises(StoreError) as refused:
        open_store(url)
    if not url.startswith("gs:"):  # a user name alone is shown, for it is mostly a mistyped bucket
        assert "SECRET" not in str(refused.value)


def test_a_signature_in_an_address_is_not_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    monkeypatch.setenv("AZURE_STORAGE_SAS_TOKEN", "sv=2021&sig=SECRET")
    monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", "http://127.0.0.1:9/account")

    with pytest.raises(StoreError, match="connection refused") as refused:
        open_store("az://container/x", 0.3).put("key", b"")

    assert "SECRET" not in str(refused.value)
    assert refused.value.__suppress_context__, "nor in a traceback"


# --- AWS's own files --------------------------------------------------------------------------------------------------


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/config").write_text(
        "[default]\nregion = eu-west-1\n\n[profile lab]\nregion = us-west-2\nendpoint_url = http://127.0.0.1:9\n"
        "aws_access_key_id = C\naws_secret_access_key = c\n\n[profile sso]\nsso_session = x\n"
    )
    (tmp_path / ".aws/credentials").write_text(
        "[default]\naws_access_key_id = A\naws_secret_access_key = a%b\naws_session_token = t\n"
    )
    return tmp_path


def keys(**found: str) -> dict[str, Any]:
    return found


def test_the_default_profile(home: Path) -> None:
    assert settings({"HOME": str(home)}) == (
        keys(region="eu-west-1", access_key_id="A", secret_access_key="a%b", session_token="t"),
        None,
    )


def test_a_named_profile(home: Path) -> None:
    assert settings({"HOME": str(home), "AWS_PROFILE": "lab"}) == (
        keys(region="us-west-2", endpoint="http://127.0.0.1:9", access_key_id="C", secret_access_key="c"),
        None,
    )


def test_variables_come_before_files(home: Path) -> None:
    env = {"HOME": str(home), "AWS_ACCESS_KEY_ID": "E", "AWS_REGION": "eu-north-1"}
    assert settings(env) == ({}, None)


def test_a_role_of_a_pod_comes_before_files(home: Path) -> None:
    assert settings({"HOME": str(home), "AWS_WEB_IDENTITY_TOKEN_FILE": "/x", "AWS_REGION": "r"}) == ({}, None)


def test_no_files_at_all(tmp_path: Path) -> None:
    assert settings({"HOME": str(tmp_path)}) == ({}, None)
    assert settings({}) == ({}, None)


def test_a_profile_that_is_not_there(home: Path) -> None:
    with pytest.raises(StoreError, match="names the profile 'lba'"):
        settings({"HOME": str(home), "AWS_PROFILE": "lba"})


def test_a_profile_that_needs_a_sign_on_is_botocores(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import botocore.session
    from botocore.credentials import Credentials

    monkeypatch.setattr(botocore.session.Session, "get_credentials", lambda self: Credentials("S", "s", "t"))

    found, provider = settings({"HOME": str(home), "AWS_PROFILE": "sso"})

    assert found == {}
    assert provider is not None
    given = provider()
    assert (given["access_key_id"], given["secret_access_key"], given["token"]) == ("S", "s", "t")


def test_keys_of_a_profile_are_used(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tests.engines.aws import server
    from tests.engines.s3.buckets import new_bucket

    bucket = new_bucket()
    with (home / ".aws/config").open("a") as config:
        config.write(f"\n[profile here]\nregion = us-east-1\nendpoint_url = {server.moto_url()}\n")
        config.write("aws_access_key_id = K\naws_secret_access_key = k\n")
    for name in server.client_environment():
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("AWS_PROFILE", "here")

    store = open_store(f"s3://{bucket}/x", 2)

    assert store.put_new("key", b"1")
    assert store.get("key") == b"1"
