"""An engine that executes compiled Argo documents on this machine, and what other people's rules say of them.

    with Cluster(tmp_path, base_env={"PATH": os.environ["PATH"]}) as cluster:
        cluster.apply(text)
        workflow = cluster.submit("name", {"parameter": "value"})
        assert workflow.wait(60) == "Succeeded", workflow.describe()

It knows nothing of the compiler. Written from the documentation and sources of Argo Workflows 4.1, JobSet 0.12 and
Kubernetes; strict: what it does not know is `UnsupportedField`, never ignored.
"""

from .cluster import Cluster, Hold
from .errors import InvalidDocumentError, UnsupportedField
from .jobset import JobSet
from .nodes import Node
from .pods import Pod
from .workflow import Workflow

__all__ = ["Cluster", "Hold", "InvalidDocumentError", "JobSet", "Node", "Pod", "UnsupportedField", "Workflow"]
