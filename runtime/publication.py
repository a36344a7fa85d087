"""From what the body wrote to what the commit names: an attempt's outputs, gathered from its nodes.

A step's outputs come from the gang's first process, wherever it ran, and its `out each` from the first process of every
node. `publish_node` stores what this node has of both and gives its report; `gather` makes of all nodes' reports, on
node 0, the one outputs document and gives its digest. Values go through the store, never over the gang's link: the
report holds digests only. Without `out each` the first process's node writes the whole document by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from flowc.runtime.body import publish_outputs
from flowc.runtime.commit import Outputs, read_node_outputs, write_node_outputs, write_outputs
from flowc.runtime.errors import INTERNAL, Stop
from flowc.runtime.identity import Identity
from flowc.runtime.plan import Step
from flowc.runtime.store import Store

# Documents read at once: enough to hide an object store's latency.
_PARALLEL = 16

# `outputs`: the digest of the whole document; `node`: that of this node's part; `first`: whether the gang's first
# process ran here.
Report = Mapping[str, Any]


def publish_node(step: Step, store: Store, identity: Identity, out_dir: Path, *, first: bool) -> Report:
    """Store what this node's first process wrote to `out_dir`, as far as it counts."""
    of = identity
    counts = tuple(output for output in step.outputs if output.each or first)
    if not any(output.each for output in step.outputs):
        digest = None
        if first:
            outputs = publish_outputs(counts, store, of.flow, out_dir)
            digest = write_outputs(store, of.flow, of.run, of.step, of.attempt, outputs, ix=of.ix)
        return {"outputs": digest, "node": None, "first": first}
    part = publish_outputs(counts, store, of.flow, out_dir)
    digest = write_node_outputs(store, of.flow, of.run, of.step, of.attempt, of.node, part, ix=of.ix)
    return {"outputs": None, "node": digest, "first": first}


def gather(step: Step, store: Store, identity: Identity, reports: Sequence[Report]) -> str:
    """The digest of the attempt's outputs document; `reports` are in node order."""
    of = identity
    firsts = [node for node, report in enumerate(reports) if report["first"]]
    if len(firsts) != 1:
        raise Stop(INTERNAL, f"{len(firsts)} nodes of the gang ran its first process; exactly one must")
    if not any(output.each for output in step.outputs):
        return str(reports[firsts[0]]["outputs"])

    def part(node: int) -> Outputs:
        digest = str(reports[node]["node"])
        return read_node_outputs(store, of.flow, of.run, of.step, of.attempt, node, digest, ix=of.ix)

    with ThreadPoolExecutor(_PARALLEL) as pool:
        parts = list(pool.map(part, range(len(reports))))
    outputs: dict[str, dict[str, Any]] = {}
    for output in step.outputs:
        if output.each:
            outputs[output.name] = {"each": [found[output.name] for found in parts]}
        else:
            outputs[output.name] = dict(parts[firsts[0]][output.name])
    return write_outputs(store, of.flow, of.run, of.step, of.attempt, outputs, ix=of.ix)
