"""A drawing as JSON for programs: one document, `version` 1, fields only ever added within a version.

    {"version": 1,
     "flow": {"name": …, "doc": …},
     "nodes": [{"id": …, "kind": "step" | "choice", "parent": … | null, "line": …, "doc": …,
                "gang": {"size": …, "framework": … | null} | null, "allow_failure": …, "cache": …}],
     "clusters": [{"id": …, "kind": "foreach" | "arm" | "repeat" | "finally", "text": …, "parent": … | null,
                   "line": …, "doc": …}],
     "edges": [{"source": …, "target": …, "kind": "data" | "after" | "choice" | "carried",
                "outputs": [{"name": …, "stars": …}], "line": …}]}

Nodes and clusters share one space of ids, and `parent` is the id of the cluster around them. An edge starts at a node
and ends at a node or a cluster. A gang's size is a text: it may be a reference. Lines count from 1.
"""

from __future__ import annotations

import json
from dataclasses import asdict

from .drawing import Drawing

VERSION = 1


def render(drawing: Drawing) -> str:
    document = {
        "version": VERSION,
        "flow": {"name": drawing.flow, "doc": drawing.doc},
        "nodes": [asdict(node) for node in drawing.nodes],
        "clusters": [asdict(cluster) for cluster in drawing.clusters],
        "edges": [asdict(edge) for edge in drawing.edges],
    }
    return json.dumps(document, indent=2) + "\n"
