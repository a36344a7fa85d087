"""One moto server per test process, on loopback: S3 and Step Functions under a URL that other processes can use.

Gives its URL, clients for it and a clean slate between tests. The server lives in this process, so that the
interpreter's own S3 calls and the S3 calls of job processes see the same buckets.
"""

from __future__ import annotations

import functools
import logging
import threading
from typing import Any

import boto3
from botocore.config import Config

REGION = "us-east-1"
ACCOUNT = "123456789012"  # moto's own default account
ACCESS_KEY, SECRET_KEY = "test", "test"


@functools.cache
def moto_url() -> str:
    """Starts the server on first use (importing moto costs about three seconds of CPU) and gives its URL."""
    from moto.core.config import default_user_config
    from moto.moto_server.threaded_moto_server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.WARNING)  # a line per request otherwise
    logging.getLogger("moto.stepfunctions").setLevel(logging.CRITICAL)  # a component tree per error otherwise
    default_user_config["stepfunctions"]["execute_state_machine"] = True
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    patch_create_only_put()
    return f"http://{host}:{port}"


def client(service: str, url: str | None = None) -> Any:
    """A boto3 client with dummy credentials. No retries: a test wants to see the first answer."""
    session: Any = boto3.session.Session()  # the stubs know each service by a literal
    return session.client(
        service,
        region_name=REGION,
        endpoint_url=url or moto_url(),
        aws_access_key_id=ACCESS_KEY,
        aws_secret_access_key=SECRET_KEY,
        config=Config(retries={"total_max_attempts": 1}, read_timeout=60, max_pool_connections=50),
    )


def reset() -> None:
    """Forgets all buckets and state machines."""
    from moto.moto_api._internal.models import moto_api_backend

    moto_url()
    moto_api_backend.reset()


def client_environment() -> dict[str, str]:
    """What a process needs to reach this S3 with boto3 or obstore."""
    return {
        "AWS_ENDPOINT_URL": moto_url(),
        "AWS_ENDPOINT_URL_S3": moto_url(),
        "AWS_ALLOW_HTTP": "true",
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
        "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_EC2_METADATA_DISABLED": "true",
    }


@functools.cache
def patch_create_only_put() -> None:
    """moto looks for the object first and stores it later without a lock, so two create-only puts (If-None-Match: *)
    may both succeed. S3 lets one through."""
    from moto.s3.responses import S3Response

    lock = threading.Lock()
    unpatched = S3Response.put_object

    def put_object(self: Any) -> Any:
        with lock:
            return unpatched(self)

    put_object.unpatched = unpatched  # type: ignore[attr-defined]  # for the guard test
    S3Response.put_object = put_object  # type: ignore[method-assign]  # that is what a patch does
