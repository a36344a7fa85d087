"""An HTTP proxy before an S3 server: it hands requests on, and breaks those that its script tells it to break.

`Proxy(upstream, script)` serves on loopback until it is closed. `script` takes each `Request` and gives a fault or
None; it is called in many threads, one call at a time. `seen` lists the requests, faulty ones too.
"""

from __future__ import annotations

import contextlib
import http.client
import socket
import struct
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self
from urllib.parse import unquote, urlsplit


@dataclass(frozen=True, slots=True)
class Request:
    """`creates` is set for a create-only put; `number` counts from 0."""

    method: str
    path: str
    creates: bool
    number: int


@dataclass(frozen=True, slots=True)
class Answer:
    """The service turns the request away; it has no effect."""

    status: int
    code: str = ""


@dataclass(frozen=True, slots=True)
class Reset:
    """The connection is reset before the request reaches the service."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The request has its effect; the connection is reset in the place of its reply."""


@dataclass(frozen=True, slots=True)
class Truncated:
    """The reply's body ends half way."""


@dataclass(frozen=True, slots=True)
class Damaged:
    """One byte of the reply's body is another."""


@dataclass(frozen=True, slots=True)
class Silent:
    """No answer for so many seconds, then the connection closes; with no effect."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Slow:
    """The request is handed on after so many seconds."""

    seconds: float


Fault = Answer | Reset | Lost | Truncated | Damaged | Silent | Slow
Script = Callable[[Request], Fault | None]


@dataclass
class Proxy:
    """Serves at `url` between `with` and its end."""

    upstream: str
    script: Script = field(default=lambda request: None)
    seen: list[Request] = field(default_factory=list)

    def __enter__(self) -> Self:
        proxy = self
        lock = threading.Lock()

        class Handler(_Handler):
            upstream = urlsplit(proxy.upstream).netloc

            def fault(self) -> Fault | None:
                with lock:
                    creates = "*" in (self.headers.get("If-None-Match"), self.headers.get("x-goog-if-generation-match"))
                    request = Request(self.command, unquote(self.path), creates, len(proxy.seen))
                    proxy.seen.append(request)
                    return proxy.script(request)

        self._server = _Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients go as they like here."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1
    upstream = ""

    def fault(self) -> Fault | None:
        raise NotImplementedError

    def setup(self) -> None:
        super().setup()
        self.beyond = http.client.HTTPConnection(self.upstream, timeout=60)

    def finish(self) -> None:
        self.beyond.close()
        with contextlib.suppress(OSError):
            super().finish()

    def handle_one_request(self) -> None:
        with contextlib.suppress(ConnectionError):
            super().handle_one_request()
            return
        self.close_connection = True

    def _any(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        fault = self.fault()
        match fault:
            case Answer():
                text = f"<Error><Code>{fault.code}</Code></Error>".encode()
                self._reply(fault.status, [], b"" if self.command == "HEAD" else text)
                return
            case Reset():
                self._reset()
                return
            case Silent():
                time.sleep(fault.seconds)
                self._reset()
                return
            case Slow():
                time.sleep(fault.seconds)
        headers = {name: value for name, value in self.headers.items() if name.lower() != "connection"}
        self.beyond.request(self.command, self.path, body, headers)
        answer = self.beyond.getresponse()
        content = answer.read()
        if isinstance(fault, Lost):
            self._reset()
            return
        if isinstance(fault, Damaged) and content:
            content = content[:-1] + bytes([content[-1] ^ 1])
        kept = [(name, value) for name, value in answer.getheaders() if name.lower() not in _OWN]
        if self.command == "HEAD":
            kept.append(("Content-Length", answer.getheader("Content-Length", "0")))
        self._reply(answer.status, kept, content, whole=not isinstance(fault, Truncated))

    def _reply(self, status: int, headers: list[tuple[str, str]], content: bytes, *, whole: bool = True) -> None:
        self.send_response_only(status)
        for name, value in headers:
            self.send_header(name, value)
        if self.command != "HEAD":
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content if whole else content[: len(content) // 2])
        self.wfile.flush()
        if not whole:
            self._reset()

    def _reset(self) -> None:
        # With no time to linger, the kernel sends a reset in the place of an orderly end.
        with contextlib.suppress(OSError):
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        """Nothing."""


for _method in ("GET", "PUT", "POST", "HEAD", "DELETE"):
    setattr(_Handler, f"do_{_method}", _Handler._any)

_OWN = ("content-length", "connection", "transfer-encoding", "keep-alive")
