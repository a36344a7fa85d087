"""A plain gang: the body runs once on every node, with low-level access to the cluster by `current.cluster`."""

from __future__ import annotations

from collections.abc import Mapping

from flowc.runtime.frameworks import Launch, Node
from flowc.runtime.plan import Json


class PlainGang:
    def share(self, node: Node) -> dict[str, Json]:  # noqa: ARG002 - the interface's signature
        return {}

    def launch(self, node: Node, shared: Mapping[str, Json]) -> Launch:  # noqa: ARG002 - the interface's signature
        return Launch(argv=node.body, env={}, ranks=None, restarts=0)
