"""Pods as local processes.

Takes a pod specification after substitution (plain dicts, one container); gives a `Pod` with a phase, an exit code, a
log file, an address of its own on the loopback network, and the process behind it. The environment is only what the
specification says, what Kubernetes itself provides (HOSTNAME, KUBERNETES_SERVICE_HOST, ...) and the engine's
`base_env`, which plays the image. `$(VAR)` is expanded as Kubernetes does it.

A pod's file system is not isolated. Output paths and `emptyDir` mounts (other than /dev/shm) lie in the pod's own
folder, and a command, argument or environment value that is such a path, or lies under it, is rewritten. A path that
the program cannot know in this way is refused.

Refuses fields outside the allow-lists (`documents.py`), field references other than those listed here, and secrets
and config maps that the test did not give.
"""

from __future__ import annotations

import contextlib
import marshal
import os
import random
import re
import signal
import string
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .documents import check_pod
from .errors import UnsupportedField

SHIM = Path(__file__).with_name("shim.py")
REFERENCE = re.compile(r"\$(\$|\([^()]*\))")
FIELD_KEY = re.compile(r"metadata\.(labels|annotations)\['([^']+)'\]")


def expand(text: str, known: Mapping[str, str]) -> str:
    """Kubernetes' own expansion: `$(NAME)` if it is known, `$$` for `$`, everything else as it stands."""

    def one(match: re.Match[str]) -> str:
        return "$" if match[1] == "$" else known.get(match[1][1:-1], match[0])

    return REFERENCE.sub(one, text)


def random_suffix() -> str:
    return "".join(random.choices("bcdfghjklmnpqrstvwxz2456789", k=5))


def random_address() -> str:
    """Own loopback address. Random, because other engines and other tests run on the same machine."""
    return f"127.{random.randint(64, 127)}.{random.randint(1, 254)}.{random.randint(1, 254)}"


@dataclass(frozen=True, slots=True)
class Stored:
    """Objects that the test put into the cluster: name -> key -> text."""

    secrets: Mapping[str, Mapping[str, str]]
    config_maps: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class PodSpec:
    """What a controller hands to the kubelet; `owner` says for whom, in words, for the messages."""

    name: str
    namespace: str
    owner: str
    labels: Mapping[str, str]
    annotations: Mapping[str, str]
    spec: Mapping[str, Any]
    path: str
    hostname: str = ""
    output_paths: tuple[str, ...] = ()


@dataclass(slots=True)
class Pod:
    """One pod. `phase` is Pending, Running, Succeeded or Failed; `reason` is set where Kubernetes sets one."""

    definition: PodSpec
    folder: Path
    uid: str = field(default_factory=lambda: str(uuid.uuid4()))
    address: str = field(default_factory=random_address)
    phase: str = "Pending"
    reason: str = ""
    exit_code: int | None = None
    created: float = field(default_factory=time.time)
    started: float | None = None
    finished: float | None = None
    deleted: bool = False
    conditions: set[str] = field(default_factory=set)
    environment: dict[str, str] = field(default_factory=dict)
    command: list[str] = field(default_factory=list)
    process: subprocess.Popen[bytes] | None = None
    _pid: int | None = None
    _status: int | None = None
    _kill_at: float | None = None
    _mounts: dict[str, str] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return self.definition.name

    @property
    def labels(self) -> Mapping[str, str]:
        return self.definition.labels

    @property
    def annotations(self) -> Mapping[str, str]:
        return self.definition.annotations

    @property
    def done(self) -> bool:
        return self.phase in ("Succeeded", "Failed")

    @property
    def log_path(self) -> Path:
        return self.folder / "log"

    def logs(self) -> str:
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    @property
    def pid(self) -> int | None:
        """The first process, which the shim reports a few milliseconds after the start."""
        if self._status is not None:
            with os.fdopen(self._status) as status:
                self._status = None
                self._pid = int(status.readline() or 0) or None
        return self._pid

    def kill(self, number: int = signal.SIGKILL) -> None:
        """Send a signal to the pod's first process, as if something inside the container had done it."""
        if self.pid is None or self.done:
            raise ProcessLookupError(f"pod {self.name} is {self.phase}")
        os.kill(self.pid, number)

    # Used by the engine only

    def start(self, base_env: Mapping[str, str], stored: Stored) -> None:
        check_pod(self.definition.spec, self.definition.path)
        self.folder.mkdir(parents=True)
        container = self.definition.spec["containers"][0]
        self._mounts = self._place_volumes(container)
        self.environment = self._environment(container, base_env, stored)
        words = [*container["command"], *container.get("args", [])]
        self.command = [self._place(expand(word, self.environment)) for word in words]
        root = self.folder / "root"
        root.mkdir(exist_ok=True)
        where = container.get("workingDir")
        spec = self.folder / "spec"
        cwd = self._place(where) if where else str(root)
        spec.write_bytes(marshal.dumps({"command": self.command, "env": self.environment, "cwd": cwd}))
        reader, writer = os.pipe()
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-I", "-S", str(SHIM), str(spec), str(writer)],
                stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT,
                env={}, pass_fds=(writer,), start_new_session=True,
            )  # fmt: skip
        os.close(writer)
        self._status = reader
        self.phase, self.started = "Running", time.time()

    def terminate(self, grace: float, *, now: float | None = None) -> None:
        """TERM to the first process, KILL to all of them after `grace` seconds. Idempotent."""
        if self.done or self._kill_at is not None:
            return
        self._kill_at = (now or time.time()) + grace
        if self.process is None:  # still Pending: nothing to wait for
            self._finish("Failed", None)
            return
        with contextlib.suppress(ProcessLookupError):
            self.kill(signal.SIGTERM)

    @property
    def terminating(self) -> bool:
        return self._kill_at is not None

    def destroy(self) -> None:
        """Everything gone at once, the processes that left the session too."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(timeout=30)
        self.poll()

    def poll(self) -> None:
        if self.done or self.process is None:
            return
        if self._kill_at is not None and time.time() >= self._kill_at:
            self.process.terminate()  # the shim kills everything
            self.process.wait(timeout=30)
        code = self.process.poll()
        if code is not None:
            self._finish("Succeeded" if code == 0 else "Failed", code)

    def output(self, path: str) -> str | None:
        """The file of an output parameter, without the single newline that Argo trims; None if there is none."""
        try:
            text = Path(self._mounts[path] if path in self._mounts else self._place(path)).read_text()
        except FileNotFoundError:
            return None
        return text.removesuffix("\n")

    def fail(self, reason: str) -> None:
        self.reason = reason
        self._finish("Failed", None)

    def _finish(self, phase: str, code: int | None) -> None:
        if self._status is not None:
            os.close(self._status)
            self._status = None
        self.phase, self.exit_code, self.finished = phase, code, time.time()

    # Volumes, environment

    def _place_volumes(self, container: Mapping[str, Any]) -> dict[str, str]:
        volumes = {v["name"]: v for v in self.definition.spec.get("volumes", [])}
        mounts = {}
        for mount in container.get("volumeMounts", []):
            if mount["name"] not in volumes:
                raise UnsupportedField(self.definition.path, f"volumeMount {mount['name']} has no volume")
            if mount["mountPath"] != "/dev/shm":
                place = self.folder / "root" / mount["mountPath"].lstrip("/")
                place.mkdir(parents=True, exist_ok=True)
                mounts[mount["mountPath"]] = str(place)
        for path in self.definition.output_paths:
            if any(path.startswith(mount + "/") for mount in mounts):
                continue
            place = self.folder / "root" / path.lstrip("/")
            place.parent.mkdir(parents=True, exist_ok=True)
            mounts[path] = str(place)
        texts = [e.get("value", "") for e in container.get("env", [])]
        texts += [*container["command"], *container.get("args", [])]
        for path in self.definition.output_paths:
            if not any(path == text or path.startswith(text.rstrip("/") + "/") for text in texts if text[:1] == "/"):
                raise UnsupportedField(
                    self.definition.path,
                    f"output path {path} stands in no env value, command or argument, and no files are isolated here",
                )
        return mounts

    def _place(self, text: str) -> str:
        """A path in the pod as a path of this machine."""
        for mount, place in self._mounts.items():
            if text == mount or text.startswith(mount + "/"):
                return place + text[len(mount) :]
        # A folder that holds an output path, such as the one a runtime is told to write its outputs to.
        if text[:1] == "/" and any(path.startswith(text.rstrip("/") + "/") for path in self.definition.output_paths):
            return str(self.folder / "root") + text
        return text

    def _environment(self, container: Mapping[str, Any], base_env: Mapping[str, str], stored: Stored) -> dict[str, str]:
        known = {
            **base_env,
            "HOSTNAME": self.definition.hostname or self.name,
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": "443",
        }
        # Kubernetes lets a value refer only to variables declared before it, so the order of the list counts.
        for entry in container.get("env", []):
            if "valueFrom" in entry:
                known[entry["name"]] = self._value_from(entry, stored)
            else:
                known[entry["name"]] = self._place(expand(entry.get("value", ""), known))
        return known

    def _value_from(self, entry: Mapping[str, Any], stored: Stored) -> str:
        where = f"{self.definition.path}.env[{entry['name']}]"
        source = entry["valueFrom"]
        for kind, objects in (("secretKeyRef", stored.secrets), ("configMapKeyRef", stored.config_maps)):
            if kind in source:
                name, key = source[kind]["name"], source[kind]["key"]
                if key not in objects.get(name, {}):
                    raise UnsupportedField(where, f"{kind}: the test gave no {name}/{key}")
                return objects[name][key]
        path = source["fieldRef"]["fieldPath"]
        plain = {
            "metadata.name": self.name, "metadata.namespace": self.definition.namespace, "metadata.uid": self.uid,
            "status.podIP": self.address, "spec.nodeName": f"node-{self.address}",
        }  # fmt: skip
        if path in plain:
            return plain[path]
        match = FIELD_KEY.fullmatch(path)
        if match is None:
            raise UnsupportedField(where, f"unknown fieldPath {path}")
        return (self.labels if match[1] == "labels" else self.annotations).get(match[2], "")


def rfc1123(name: str) -> bool:
    return re.fullmatch(f"[{string.ascii_lowercase}0-9]([-a-z0-9]*[a-z0-9])?", name) is not None and len(name) <= 63
