"""Rights: the service accounts of a flow's pods, each with the least it needs.

Takes whether the flow has gangs; gives ServiceAccounts, Roles and RoleBindings without a namespace, so that they are
made where they are applied, and the same for every flow of a namespace. Cloud identity, for the store, is bound to
`flowc-task` and `flowc-gang-pod` by whoever runs the cluster.
"""

from __future__ import annotations

from . import names
from .emit_pods import Doc

# What Argo's executor does in every pod that Argo starts: report outputs and progress.
_REPORT: Doc = {"apiGroups": ["argoproj.io"], "resources": ["workflowtaskresults"], "verbs": ["create", "patch"]}
# Create; poll by plain GET; find and delete by label.
_JOBSETS: Doc = {
    "apiGroups": ["jobset.x-k8s.io"],
    "resources": ["jobsets"],
    "verbs": ["create", "get", "list", "delete"],
}


def rights(gangs: bool) -> tuple[Doc, ...]:
    documents = _account(names.TASK_ACCOUNT, [_REPORT])
    if gangs:
        documents += _account(names.LAUNCH_ACCOUNT, [_REPORT, _JOBSETS])
        documents += [
            {
                "apiVersion": "v1",
                "kind": "ServiceAccount",
                "metadata": {"name": names.GANG_ACCOUNT},
                "automountServiceAccountToken": False,
            }
        ]
    return tuple(documents)


def _account(name: str, rules: list[Doc]) -> list[Doc]:
    metadata = {"name": name}
    group = "rbac.authorization.k8s.io"
    return [
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata},
        {"apiVersion": f"{group}/v1", "kind": "Role", "metadata": metadata, "rules": rules},
        {
            "apiVersion": f"{group}/v1",
            "kind": "RoleBinding",
            "metadata": metadata,
            "roleRef": {"apiGroup": group, "kind": "Role", "name": name},
            # Without a namespace the account of the binding's own namespace is meant.
            "subjects": [{"kind": "ServiceAccount", "name": name}],
        },
    ]
