"""The S3 server as other clients than the interpreter see it: boto3 and obstore, create-only puts, listings."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import Any

import botocore.exceptions
import pytest

from . import server
from .stack import Aws


def store(bucket: str) -> Any:
    from obstore.store import S3Store

    return S3Store(
        bucket,
        endpoint=server.moto_url(),
        access_key_id="test",
        secret_access_key="test",
        region=server.REGION,
        client_options={"allow_http": True},
    )


def test_boto3_is_told_412_by_a_second_create_only_put(aws: Aws) -> None:
    bucket = aws.bucket()
    aws.s3.put_object(Bucket=bucket, Key="a", Body=b"1", IfNoneMatch="*")
    with pytest.raises(botocore.exceptions.ClientError) as raised:
        aws.s3.put_object(Bucket=bucket, Key="a", Body=b"2", IfNoneMatch="*")
    assert raised.value.response["Error"]["Code"] == "PreconditionFailed"
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 412
    assert aws.s3.get_object(Bucket=bucket, Key="a")["Body"].read() == b"1"


def test_obstore_raises_already_exists_for_a_second_create(aws: Aws) -> None:
    import obstore
    from obstore.exceptions import AlreadyExistsError

    bucket = store(aws.bucket())
    obstore.put(bucket, "a/ü", b"1", mode="create")
    with pytest.raises(AlreadyExistsError):
        obstore.put(bucket, "a/ü", b"2", mode="create")
    assert bytes(obstore.get(bucket, "a/ü").bytes()) == b"1"
    assert [entry["path"] for page in obstore.list(bucket, "a") for entry in page] == ["a/ü"]


def test_of_many_creators_one_wins(aws: Aws) -> None:
    import obstore
    from obstore.exceptions import AlreadyExistsError

    bucket, won = store(aws.bucket()), []

    def create(number: int) -> None:
        try:
            obstore.put(bucket, "once", str(number).encode(), mode="create")
        except AlreadyExistsError:
            return
        won.append(number)

    threads = [threading.Thread(target=create, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert bytes(obstore.get(bucket, "once").bytes()) == str(won[0]).encode()


def test_another_process_needs_the_client_environment_only(aws: Aws) -> None:
    bucket = aws.bucket()
    code = f"""
import obstore
from obstore.store import S3Store
obstore.put(S3Store("{bucket}"), "from-process", b"hello")
"""
    subprocess.run([sys.executable, "-c", code], env=aws.client_environment(), check=True, timeout=60)
    assert aws.s3.get_object(Bucket=bucket, Key="from-process")["Body"].read() == b"hello"


def test_nothing_is_left_from_the_test_before(aws: Aws) -> None:
    assert aws.s3.list_buckets()["Buckets"] == []
