"""The faults of the engine itself, apart from the failures that a workflow may have.

`UnsupportedField` says that a document uses something the engine does not know: a field, a template kind, a tag, a
function, an action. It always carries the path of the offender. It is never turned into a failed node, because a test
must not pass by an accident of the engine: `Cluster.apply` raises it at once, `Workflow.wait` when it shows only at
run time.
`NodeError` is what Argo itself would report as phase `Error` of a node.
"""

from __future__ import annotations


class UnsupportedField(Exception):
    """The document holds something this engine does not know."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class InvalidDocumentError(Exception):
    """A cluster would refuse this document."""

    def __init__(self, errors: list[str]) -> None:
        super().__init__("\n".join(errors))
        self.errors = errors


class NodeError(Exception):
    """Argo marks the node as Error with this message."""
