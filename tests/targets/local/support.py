"""Plans in few words, and `drive.py` as a process: what the tests of the local engine share."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil

from flowc.compiler.driver import run_source
from flowc.dsl.spans import Source
from flowc.runtime.plan import Body, Gang, Input, Output, Param, Plain, Plan, Script, Settings, Step, dump

DRIVE = Path(__file__).with_name("drive.py")
STAND_IN = Path(__file__).with_name("stand_in.py")


def settings(**changes: object) -> Settings:
    values: dict[str, object] = {
        "image": "unused",
        "cpu": 0.1,
        "memory": 1 << 30,
        "gpu": 0,
        "shm": None,
        "timeout": None,
        "start_timeout": 60,
        "retries": 0,
        "retry_wait": 0,
    }
    return Settings(**(values | changes))  # type: ignore[arg-type]


def step(
    name: str,
    body: Body | str = "true",
    *,
    needs: tuple[str, ...] = (),
    takes: tuple[Input, ...] = (),
    gives: dict[str, str] | None = None,
    nodes: int = 0,
    **changes: object,
) -> Step:
    """`body` as text is bash; `gives` maps outputs to types; `nodes` makes a plain gang."""
    return Step(
        name=name,
        line=1,
        doc="",
        body=Script("bash", body) if isinstance(body, str) else body,
        inputs=takes,
        outputs=tuple(Output(key, type_) for key, type_ in (gives or {}).items()),
        env=(),
        needs=needs,
        gang=Gang(nodes, Plain()) if nodes else None,
        settings=settings(**changes),
    )


def plan(*steps: Step, params: tuple[Param, ...] = (), timeout: int | None = None) -> Plan:
    return Plan("demo", "demo.flow", timeout, params, tuple(steps))


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    seconds: float


class Workplace:
    """A folder in which flows are run, one process each."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.code = root / "code"
        self.code.mkdir()

    def argv(self, steps: Plan, *options: str) -> list[str]:
        path = self.root / "plan.json"
        path.write_text(dump(steps))
        return [sys.executable, str(DRIVE), str(path), str(self.code), *options]

    def start(self, steps: Plan, *options: str, **more: object) -> subprocess.Popen[str]:
        return subprocess.Popen(  # type: ignore[call-overload,no-any-return]
            self.argv(steps, *options),
            cwd=self.root,
            text=True,
            errors="surrogateescape",
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            **more,
        )

    def run(self, steps: Plan, *options: str, **more: object) -> Result:
        began = time.monotonic()
        process = self.start(steps, *options, **more)
        out, _ = process.communicate(timeout=60)
        return Result(process.returncode, out, time.monotonic() - began)

    def start_flow(self, text: str, *options: str, **more: object) -> subprocess.Popen[str]:
        """As `start`, from the text of a flow, which lies with its code."""
        path = self.code / "demo.flow"
        path.write_text(text)
        planned = run_source(Source(str(path), text), self.code)
        assert planned.build is not None, planned.diagnostics
        # Texts need no quotes here.
        kinds = {param.name: param.type for param in planned.build.plan.params}
        pairs = [option.partition("=") for option in options]
        given = (f"{key}={json.dumps(value) if kinds.get(key) == 'string' else value}" for key, _, value in pairs)
        return self.start(planned.build.plan, *given, f"source={path}", **more)

    def flow(self, text: str, *options: str) -> Result:
        began = time.monotonic()
        process = self.start_flow(text, *options)
        out, _ = process.communicate(timeout=90)
        return Result(process.returncode, out, time.monotonic() - began)

    def folders(self) -> list[Path]:
        runs = self.root / ".flowc/runs"
        return sorted(folder for folder in runs.iterdir() if folder.is_dir()) if runs.is_dir() else []

    def logs(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for folder in self.folders() for path in folder.glob("*.log")}

    def end_record(self) -> dict[str, str]:
        [path] = (self.root / ".flowc/store/demo").glob("*/end.json")
        record: dict[str, str] = json.loads(path.read_text())
        return record

    def processes(self) -> list[int]:
        """Every living process that was started for a flow here, found by what it inherited."""
        mark = str(self.root)
        found = []
        for process in psutil.process_iter():
            try:
                if process.status() == psutil.STATUS_ZOMBIE:
                    continue
                environment = process.environ()
            except psutil.Error:
                continue
            if environment.get("TEST_PLACE") == mark and process.pid != psutil.Process().pid:
                found.append(process.pid)
        return found

    def has(self, name: str) -> bool:
        return (self.root / name).exists()


def eventually(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.02)
    return condition()
