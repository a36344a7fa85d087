"""What only some targets can do: the settings of `on argo`, `on sfn` and `on local`, and where secrets live.

A row that both a step and the flow have holds, in the flow, for all its steps.
"""

from __future__ import annotations

from .argo import ARGO
from .rows import SettingRow, TargetRow
from .settings import ALL, FLOW, TASK
from .sfn import SFN

# --- this machine -----------------------------------------------------------------------------------------------------

_LOCAL = TargetRow(
    "local",
    "this machine",
    (
        SettingRow(
            "jobs", "int", None, "steps at the same time", FLOW, least=1, most=10_000, otherwise="as the cores allow"
        ),
        SettingRow(
            "cpus",
            "number",
            None,
            "cores to share out among the steps",
            FLOW,
            least=0.001,
            most=10_000,
            otherwise="all of the machine",
            aliases=("cores",),
        ),
        SettingRow(
            "cpu",
            "number",
            None,
            "cores per node here",
            TASK,
            least=0.001,
            most=10_000,
            otherwise="the step's `cpu`",
        ),
        SettingRow("gpu", "int", None, "GPUs per node here", TASK, least=0, most=1024, otherwise="the step's `gpu`"),
        SettingRow(
            "python",
            "string",
            None,
            "the Python that runs the step, which has flowc installed",
            ALL,
            rule="word",
            otherwise="the one that runs flowc",
            example='".venv/bin/python"',
            aliases=("interpreter", "python_path", "venv"),
        ),
    ),
    aliases=("localhost", "here", "laptop"),
)

TARGETS = {row.name: row for row in (ARGO, SFN, _LOCAL)}

# --- secrets ----------------------------------------------------------------------------------------------------------

SECRETS = {
    row.name: row
    for row in (
        SettingRow(
            "argo",
            "string",
            None,
            "a Kubernetes secret and a key in it",
            rule="k8s_secret",
            example='"hub-credentials/token"',
            aliases=ARGO.aliases,
        ),
        SettingRow(
            "sfn",
            "string",
            None,
            "a key of a secret in AWS Secrets Manager, or a parameter of the Parameter Store",
            rule="aws_secret",
            example='"prod/hub:token"',
            aliases=(*SFN.aliases, "secrets_manager", "ssm"),
        ),
        SettingRow(
            "local",
            "string",
            None,
            "an environment variable",
            rule="env_name",
            otherwise="the name in capitals",
            example='"HUB_TOKEN"',
            aliases=(*_LOCAL.aliases, "env"),
        ),
    )
}
