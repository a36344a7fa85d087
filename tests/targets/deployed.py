"""Compiled flows on the engines: compile with the command line, put the bundle where a deployment puts it, run.

`compile_flow` runs the real `flowc compile`. `on_argo` and `on_sfn` execute what came out; `values` gives what every
step committed, as `locally` does for `flowc run`. Values of files are their digests.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from flowc.runtime import layout
from flowc.runtime.commit import read_commit, read_outputs
from flowc.runtime.plan import PLAN_FILE, Plan, load
from flowc.runtime.store import Store, open_store
from tests.engines.argo.cluster import Cluster
from tests.engines.argo.workflow import Workflow
from tests.engines.aws.batch_nodes import NodeContext
from tests.engines.aws.stack import Aws, Execution

FLOWC = Path(sys.executable).parent / "flowc"
# What an image gives: programs on PATH, a home.
IMAGE = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}", "HOME": os.environ.get("HOME", "/")}

Values = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Compiled:
    """What `flowc compile -o` wrote."""

    folder: Path

    def text(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")

    @property
    def bundle(self) -> Path:
        [found] = (self.folder / "bundles").iterdir()
        return found

    @property
    def plan(self) -> Plan:
        import tarfile

        with tarfile.open(self.bundle) as tar:
            member = tar.extractfile(PLAN_FILE)
            assert member is not None
            return load(member.read().decode())

    def upload(self, store: Store) -> None:
        store.upload(layout.bundle_key(self.plan.flow, self.bundle.stem), self.bundle)


def compile_flow(flow: Path, target: str, store: str, folder: Path) -> Compiled:
    command = [str(FLOWC), "compile", str(flow), "--target", target, "--store", store, "-o", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return Compiled(folder)


def committed(store: Store, plan: Plan, run: str) -> Values:
    """Every step's committed outputs: scalars and lists as JSON, files and folders by digest."""
    values: Values = {}
    for step in plan.steps:
        commit = read_commit(store, plan.flow, run, step.name)
        if commit is None:
            continue
        entries = read_outputs(store, plan.flow, step.name, commit)
        values[step.name] = {name: entry.get("value", entry.get("blob")) for name, entry in entries.items()}
    return values


def locally(flow: Path, folder: Path, params: Mapping[str, str]) -> Values:
    folder.mkdir(parents=True)
    arguments = [part for name, value in params.items() for part in ("-p", f"{name}={value}")]
    command = [str(FLOWC), "run", str(flow), "--store", str(folder / "store"), *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    compiled = compile_flow(flow, "argo", (folder / "store").as_uri(), folder / "documents")
    [run] = (folder / "store" / compiled.plan.flow / "runs").iterdir()
    return committed(open_store(str(folder / "store")), compiled.plan, run.name)


@dataclass(frozen=True)
class OnArgo:
    cluster: Cluster
    compiled: Compiled
    store: Store

    def start(self, params: Mapping[str, str]) -> Workflow:
        name = re.sub(r"_", "-", self.compiled.plan.flow)
        return self.cluster.submit(name, params)

    def values(self, workflow: Workflow) -> Values:
        return committed(self.store, self.compiled.plan, workflow.uid)


def on_argo(cluster: Cluster, flow: Path, folder: Path) -> OnArgo:
    """Deploy a flow to the Argo engine; the store is a folder, as a volume that all pods mount would be."""
    store = open_store(str(folder / "store"))
    compiled = compile_flow(flow, "argo", store.url, folder / "documents")
    compiled.upload(store)
    for file in sorted(compiled.folder.glob("*.yaml")):
        cluster.apply(file.read_text())
    return OnArgo(cluster, compiled, store)


def node_environment(context: NodeContext) -> dict[str, str]:
    """A node's address is its container's in AWS; here it has to be told which loopback address is its own."""
    return {**IMAGE, "FLOWC_ADDRESS": context.address}


@dataclass(frozen=True)
class OnSfn:
    compiled: Compiled
    store: Store
    stack: Any

    def start(self, params: Mapping[str, Any], name: str) -> Execution:
        execution: Execution = self.stack.start(dict(params), name=name)
        return execution

    def values(self, name: str) -> Values:
        return committed(self.store, self.compiled.plan, name)


def on_sfn(aws: Aws, flow: Path, folder: Path) -> OnSfn:
    """Deploy a flow to the Step Functions and Batch engine, with its store in a bucket."""
    bucket = aws.bucket("flowc-test")
    os.environ.update(aws.client_environment())
    store = open_store(f"s3://{bucket}/team/a")
    compiled = compile_flow(flow, "sfn", store.url, folder / "documents")
    compiled.upload(store)
    queue = aws.add_queue("gangs")
    return OnSfn(compiled, store, aws.deploy(compiled.text("template.yaml"), {"JobQueue": queue}))
