"""Argo Workflows on Kubernetes: a plan as a WorkflowTemplate, gangs as JobSets.

Three pure functions, called in this order: `limits(build)` gives diagnostics for everything this target cannot run,
`emit(build)` gives documents as plain data, `render(documents)` gives files: `workflow-template.yaml`, and `rbac.yaml`
with the service accounts it names. The same build gives the same bytes.

Written for Argo Workflows 4.0 and later and JobSet 0.12 and later; nothing here is read from a cluster.
"""

from __future__ import annotations

from .emit import Documents, emit
from .limits import limits
from .render import render

__all__ = ["Documents", "emit", "limits", "render"]
