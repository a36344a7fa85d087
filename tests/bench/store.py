"""What the store costs, against programs that everybody has, measured in the same run.

One file of 1 GiB into the local store, against `sha256sum` and `cp` of it; 1,000 files of 4 KiB into an S3 server that
lets every request wait 10 ms, against a loop of boto3. Prints both with the peak memory of the process that publishes,
and exits 1 if a target is missed.

    python -m tests.bench.store
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

GIB = 1 << 30
FILES, SIZE, WAIT = 1000, 4096, 0.010
LARGE_TARGET, SMALL_TARGET, MEMORY_TARGET = 2.0, 5.0, 200

_PUBLISH = """
import sys, time
from pathlib import Path
from flowc.runtime.artifacts import publish
from flowc.runtime.store import open_store
store = open_store(sys.argv[1])
began = time.perf_counter()
publish(store, "bench", sys.argv[2], Path(sys.argv[3]), "x")
took = time.perf_counter() - began
peak = next(line.split()[1] for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(took, int(peak) / 1024)
"""


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        large = _large(Path(folder))
    with tempfile.TemporaryDirectory() as folder:
        small = _small(Path(folder))
    return 0 if large and small else 1


def _large(folder: Path) -> bool:
    source = folder / "source"
    with source.open("wb") as file:
        for _ in range(GIB >> 20):
            file.write(os.urandom(1 << 20))
    os.sync()
    both = _timed(lambda: subprocess.run(["sha256sum", str(source)], check=True, stdout=subprocess.DEVNULL))
    both += _timed(lambda: subprocess.run(["cp", str(source), str(folder / "copy")], check=True))
    (folder / "copy").unlink()
    os.sync()
    took, peak = _publish(str(folder / "store"), "file", source, {})
    _say(f"1 GiB into the local store: {took:.2f} s, {peak:.0f} MiB; sha256sum + cp: {both:.2f} s")
    return _met(took / both, LARGE_TARGET, "x", took <= LARGE_TARGET * both and peak < MEMORY_TARGET)


def _small(folder: Path) -> bool:
    import boto3

    source = folder / "files"
    source.mkdir()
    for number in range(FILES):
        (source / f"{number}").write_bytes(os.urandom(SIZE))
    with _server() as environment:
        client: Any = boto3.client(
            "s3",
            endpoint_url=environment["AWS_ENDPOINT_URL_S3"],
            region_name="us-east-1",
            aws_access_key_id="test",
            aws_secret_access_key="test",
        )
        client.create_bucket(Bucket="bench")

        def loop() -> None:
            for path in sorted(source.iterdir()):
                client.put_object(Bucket="bench", Key=f"loop/{path.name}", Body=path.read_bytes())

        slow = _timed(loop)
        took, peak = _publish("s3://bench/store", "dir", source, environment)
    _say(f"1,000 files of 4 KiB into S3: {took:.2f} s, {peak:.0f} MiB; a loop of boto3: {slow:.2f} s")
    return _met(slow / took, SMALL_TARGET, "x faster", slow >= SMALL_TARGET * took and peak < MEMORY_TARGET)


def _met(ratio: float, target: float, unit: str, met: bool) -> bool:
    _say(f"  {ratio:.2f} {unit} (target {target:g} {unit}, below {MEMORY_TARGET} MiB): {'met' if met else 'MISSED'}")
    return met


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _timed(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def _publish(store: str, kind: str, source: Path, environment: dict[str, str]) -> tuple[float, float]:
    """Seconds, and mebibytes at the peak, of a process of its own."""
    command = [sys.executable, "-c", _PUBLISH, store, kind, str(source)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, **environment})
    took, peak = done.stdout.split()
    return float(took), float(peak)


@contextmanager
def _server() -> Iterator[dict[str, str]]:
    """The S3 server in a process of its own, so that it shares no interpreter with its clients."""
    with subprocess.Popen([sys.executable, "-m", "tests.bench.store", "--serve"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        names = {"AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test", "AWS_REGION": "us-east-1"}
        yield {**names, "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{port}"}
        process.terminate()


def _serve() -> None:
    import logging

    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    application = DomainDispatcherApplication(create_backend_app)

    def waiting(environ: Any, start_response: Any) -> Any:
        time.sleep(WAIT)
        return application(environ, start_response)

    WSGIRequestHandler.protocol_version = "HTTP/1.1"  # connections stay, as those of real services
    server = make_server("127.0.0.1", 0, waiting, threaded=True)
    _say(str(server.server_port))
    server.serve_forever()


if __name__ == "__main__":
    if "--serve" in sys.argv:
        _serve()
    else:
        sys.exit(main())
