"""What only some targets can do: the settings of `on argo`, `on sfn` and `on local`, and where secrets live.

A row that both a step and the flow have holds, in the flow, for all its steps.
"""

from __future__ import annotations

from dataclasses import dataclass

from .rows import Place, SettingRow
from .settings import DAY, GIB, MIB, TASK, TIB, YEAR

_FLOW: tuple[Place, ...] = ("flow",)
_ALL: tuple[Place, ...] = (*TASK, "flow")


@dataclass(frozen=True, slots=True)
class TargetRow:
    """`aliases` are what else people call the target."""

    name: str
    title: str
    settings: tuple[SettingRow, ...]
    aliases: tuple[str, ...] = ()

    def setting(self, name: str) -> SettingRow | None:
        return next((row for row in self.settings if row.name == name), None)


# --- Kubernetes, Argo Workflows ---------------------------------------------------------------------------------------

_READ_ONLY = SettingRow("read_only", "bool", False, "nobody writes there", aliases=("readonly",))
_MOUNT = SettingRow(
    "path",
    "string",
    None,
    "where it is mounted",
    rule="mount",
    required=True,
    aliases=("mount_path", "mountpath", "mount"),
)
_MEMORY = SettingRow(
    "memory", "size", None, "empty memory of this size", least=MIB, most=1024 * TIB, aliases=("tmpfs",)
)

_K8S_VOLUME = (
    _MOUNT,
    SettingRow(
        "claim",
        "string",
        None,
        "a PersistentVolumeClaim of the namespace",
        rule="k8s_name",
        aliases=("pvc", "claim_name", "persistent_volume_claim"),
    ),
    SettingRow("host_path", "string", None, "a folder of the machine", rule="path", aliases=("hostpath", "host")),
    _MEMORY,
    _READ_ONLY,
)
_TOLERATION = (
    SettingRow("key", "string", None, "the taint's key", rule="k8s_key", otherwise="every key"),
    SettingRow(
        "operator",
        "word",
        "Equal",
        "`Exists` asks for no value",
        words=("Equal", "Exists"),
    ),
    SettingRow("value", "string", None, "the taint's value", rule="k8s_value", otherwise="none"),
    SettingRow(
        "effect",
        "word",
        None,
        "the taint's effect",
        words=("NoSchedule", "PreferNoSchedule", "NoExecute"),
        otherwise="every effect",
    ),
    SettingRow(
        "stay",
        "duration",
        None,
        "with the effect `NoExecute`: how long the pod stays on a node that gets the taint",
        least=0,
        most=YEAR,
        otherwise="for good",
        aliases=("seconds", "toleration_seconds", "tolerationseconds"),
    ),
)
_ID = 2**31 - 1  # Kubernetes refuses larger ids of users and groups
_SECURITY = (
    SettingRow(
        "user",
        "int",
        None,
        "the user id",
        least=0,
        most=_ID,
        otherwise="the image's",
        aliases=("run_as_user", "uid", "runasuser"),
    ),
    SettingRow(
        "group",
        "int",
        None,
        "the group id",
        least=0,
        most=_ID,
        otherwise="the image's",
        aliases=("run_as_group", "gid", "runasgroup"),
    ),
    SettingRow(
        "fs_group",
        "int",
        None,
        "the group that owns mounted volumes",
        least=0,
        most=_ID,
        otherwise="none",
        aliases=("fsgroup",),
    ),
    SettingRow(
        "non_root", "bool", False, "refuse to run as root", aliases=("run_as_non_root", "runasnonroot", "nonroot")
    ),
    SettingRow(
        "read_only",
        "bool",
        False,
        "the image's own files cannot be written",
        aliases=("read_only_root_filesystem", "readonlyrootfilesystem"),
    ),
    SettingRow("privileged", "bool", False, "all rights on the machine"),
    SettingRow(
        "add",
        "strings",
        None,
        "Linux capabilities to add",
        rule="k8s_capability",
        otherwise="none",
        example='["IPC_LOCK"]',
        aliases=("capabilities",),
    ),
    SettingRow(
        "drop",
        "strings",
        None,
        "Linux capabilities to take away",
        rule="k8s_capability",
        otherwise="none",
        example='["ALL"]',
    ),
    SettingRow(
        "seccomp",
        "word",
        None,
        "the filter of system calls",
        words=("RuntimeDefault", "Unconfined"),
        otherwise="the cluster's",
        aliases=("seccomp_profile",),
    ),
)
_OWN_SETTING = (
    ("cpu", "the setting `cpu` of the step"),
    ("memory", "the setting `memory` of the step"),
    ("nvidia.com/gpu", "the setting `gpu` of the step"),
    ("ephemeral-storage", "the setting `disk`"),
)

_ARGO = TargetRow(
    "argo",
    "Argo Workflows on Kubernetes",
    (
        SettingRow(
            "queue",
            "string",
            None,
            "a LocalQueue of Kueue, which starts all nodes of a gang or none",
            _ALL,
            rule="k8s_short_name",
            otherwise="none",
            aliases=("local_queue", "kueue", "queue_name"),
        ),
        SettingRow(
            "priority_class",
            "string",
            None,
            "a PriorityClass",
            TASK,
            rule="k8s_name",
            otherwise="the cluster's",
            aliases=("priorityclassname", "priority_class_name"),
        ),
        SettingRow(
            "topology",
            "string",
            None,
            "the label of machines by which a gang is placed: all its nodes where this label has one value, and no "
            "other gang there",
            TASK,
            rule="k8s_key",
            otherwise="anywhere",
            example='"topology.kubernetes.io/zone"',
            aliases=("topology_key", "exclusive_topology"),
        ),
        SettingRow(
            "node_selector",
            "texts",
            None,
            "labels that the machine has",
            TASK,
            rule="k8s_value",
            key_rule="k8s_key",
            otherwise="any machine",
            example='{ "gpu.example.com/model" = "h100" }',
            aliases=("nodeselector", "selector"),
        ),
        SettingRow(
            "tolerations",
            "objects",
            None,
            "taints that do not keep the pods away",
            TASK,
            members=_TOLERATION,
            otherwise="none",
            example='[{ key = "gpu"  operator = "Exists" }]',
            aliases=("toleration",),
        ),
        SettingRow(
            "service_account",
            "string",
            None,
            "the ServiceAccount of the pods that run steps",
            _ALL,
            rule="k8s_name",
            otherwise="made by flowc",
            aliases=("serviceaccount", "service_account_name", "serviceaccountname"),
        ),
        SettingRow(
            "volumes",
            "objects",
            None,
            "what is mounted: a claim, a folder of the machine or memory",
            TASK,
            members=_K8S_VOLUME,
            one_of=("claim", "host_path", "memory"),
            otherwise="none",
            example='[{ path = "/data"  claim = "corpus" }]',
            aliases=("volume", "mounts", "persistent_volume_claims"),
        ),
        SettingRow(
            "resources",
            "numbers",
            None,
            "extended resources per node",
            TASK,
            least=1,
            most=1_000_000,
            key_rule="k8s_resource",
            elsewhere=_OWN_SETTING,
            otherwise="none",
            example='{ "vpc.amazonaws.com/efa" = 4 }',
            aliases=("extended_resources", "limits", "requests"),
        ),
        SettingRow(
            "disk",
            "size",
            None,
            "local disk per node (`ephemeral-storage`)",
            TASK,
            least=MIB,
            most=1024 * TIB,
            otherwise="the cluster's",
            aliases=("ephemeral_storage", "storage"),
        ),
        SettingRow(
            "security_context",
            "object",
            None,
            "user, group and rights of the container",
            TASK,
            members=_SECURITY,
            otherwise="the cluster's",
            example="{ user = 1000  non_root = true }",
            aliases=("securitycontext", "security"),
        ),
        SettingRow(
            "pull_secrets",
            "strings",
            None,
            "secrets for pulling images",
            _ALL,
            rule="k8s_name",
            otherwise="none",
            example='["registry"]',
            aliases=("image_pull_secrets", "imagepullsecrets", "pull_secret"),
        ),
        SettingRow(
            "pull_policy",
            "word",
            None,
            "when images are pulled",
            _ALL,
            words=("Always", "IfNotPresent", "Never"),
            otherwise="the cluster's",
            aliases=("image_pull_policy", "imagepullpolicy"),
        ),
        SettingRow(
            "gang",
            "word",
            "jobset",
            "what starts a gang; an `indexed-job` needs no JobSet in the cluster",
            TASK,
            words=("jobset", "indexed-job"),
        ),
        SettingRow(
            "labels",
            "texts",
            None,
            "labels of the pods; in the flow, of the workflow too",
            _ALL,
            rule="k8s_value",
            key_rule="k8s_key",
            otherwise="flowc's own",
            example='{ team = "research" }',
            aliases=("label",),
        ),
        SettingRow(
            "annotations",
            "texts",
            None,
            "annotations of the pods; in the flow, of the workflow too",
            _ALL,
            key_rule="k8s_key",
            otherwise="flowc's own",
            example='{ "example.com/owner" = "Ada" }',
            aliases=("annotation",),
        ),
        SettingRow(
            "max_tasks",
            "int",
            None,
            "pods of one run at the same time",
            _FLOW,
            least=1,
            most=1_000_000,
            otherwise="no limit",
            aliases=("parallelism", "max_parallel", "jobs"),
        ),
        SettingRow(
            "priority",
            "int",
            0,
            "among waiting workflows, the higher one is started first",
            _FLOW,
            least=-(2**31),
            most=2**31 - 1,
        ),
        SettingRow(
            "keep",
            "duration",
            None,
            "how long a workflow that is over stays in the cluster",
            _FLOW,
            least=0,
            most=10 * YEAR,
            otherwise="for good",
            aliases=("ttl", "keep_finished"),
        ),
        SettingRow(
            "keep_failed",
            "duration",
            None,
            "the same for a workflow that failed",
            _FLOW,
            least=0,
            most=10 * YEAR,
            otherwise="as `keep`",
            aliases=("ttl_failed",),
        ),
        SettingRow(
            "overlap",
            "word",
            "Allow",
            "what a schedule does while an earlier run still runs: both run, the new one is left out, or it takes the "
            "place of the old one",
            _FLOW,
            words=("Allow", "Forbid", "Replace"),
            aliases=("concurrency_policy", "concurrencypolicy"),
        ),
    ),
    aliases=("kubernetes", "k8s", "argo_workflows", "kube"),
)

# --- AWS --------------------------------------------------------------------------------------------------------------

# What Docker knows; -1 is no limit.
_ULIMITS = (
    *("core", "cpu", "data", "fsize", "locks", "memlock", "msgqueue", "nice"),
    *("nofile", "nproc", "rss", "rtprio", "rttime", "sigpending", "stack"),
)
# The periods that CloudWatch knows.
_RETENTION = (
    *(1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731),
    *(1096, 1827, 2192, 2557, 2922, 3288, 3653),
)

_BATCH_VOLUME = (
    _MOUNT,
    SettingRow("efs", "string", None, "an EFS file system", rule="efs", aliases=("file_system", "file_system_id")),
    SettingRow("host_path", "string", None, "a folder of the instance", rule="path", aliases=("hostpath", "host")),
    _MEMORY,
    SettingRow(
        "access_point",
        "string",
        None,
        "an access point of the EFS file system",
        rule="efs_access_point",
        otherwise="none",
        aliases=("access_point_id",),
    ),
    _READ_ONLY,
)

_SFN = TargetRow(
    "sfn",
    "AWS Step Functions with AWS Batch",
    (
        SettingRow(
            "queue",
            "string",
            None,
            "the Batch job queue",
            _ALL,
            rule="batch_queue",
            otherwise="a parameter of the stack",
            aliases=("job_queue", "jobqueue"),
        ),
        SettingRow(
            "platform",
            "word",
            "ec2",
            "what the queue's machines are; there are no gangs and no GPUs on `fargate`",
            _ALL,
            words=("ec2", "fargate"),
            aliases=("platform_capabilities", "launch_type"),
        ),
        SettingRow(
            "instance_type",
            "string",
            None,
            "the EC2 instance type of a gang's nodes",
            TASK,
            rule="instance_type",
            otherwise="Batch chooses",
            aliases=("instance_types", "instancetype", "instance"),
        ),
        SettingRow(
            "efa",
            "int",
            0,
            "Elastic Fabric Adapters per node",
            TASK,
            least=0,
            most=32,
            aliases=("efa_devices", "efas"),
        ),
        SettingRow(
            "disk",
            "size",
            None,
            "local disk on `fargate`",
            TASK,
            least=21 * GIB,
            most=200 * GIB,
            otherwise="the platform's own",
            aliases=("ephemeral_storage", "storage"),
        ),
        SettingRow(
            "volumes",
            "objects",
            None,
            "what is mounted: an EFS file system, a folder of the instance or memory",
            TASK,
            members=_BATCH_VOLUME,
            one_of=("efs", "host_path", "memory"),
            otherwise="none",
            example='[{ path = "/data"  efs = "fs-0123456789abcdef0" }]',
            aliases=("volume", "mounts", "mount_points"),
        ),
        SettingRow(
            "ulimits",
            "numbers",
            None,
            "limits of the container's processes; -1 is none",
            TASK,
            least=-1,
            most=2**31 - 1,
            words=_ULIMITS,
            otherwise="Docker's",
            example="{ memlock = -1  nofile = 65536 }",
            aliases=("ulimit",),
        ),
        SettingRow(
            "job_role",
            "string",
            None,
            "the role that the step's program has",
            _ALL,
            rule="iam_role",
            otherwise="made by flowc",
            aliases=("task_role", "role", "job_role_arn"),
        ),
        SettingRow(
            "execution_role",
            "string",
            None,
            "the role that pulls images, writes logs and reads secrets",
            _ALL,
            rule="iam_role",
            otherwise="made by flowc",
            aliases=("execution_role_arn",),
        ),
        SettingRow(
            "share",
            "string",
            None,
            "the share of a queue with fair shares, which asks for one",
            _ALL,
            rule="share",
            otherwise="none",
            aliases=("share_identifier", "shareidentifier", "fair_share"),
        ),
        SettingRow(
            "priority",
            "int",
            None,
            "within the share, the higher one is started first",
            _ALL,
            least=0,
            most=9999,
            otherwise="the queue's",
            aliases=("scheduling_priority",),
        ),
        SettingRow(
            "submit",
            "word",
            "sync",
            "who waits for a job: Step Functions itself, or a loop of the state machine that asks for its state",
            _ALL,
            words=("sync", "poll"),
        ),
        SettingRow(
            "tags",
            "texts",
            None,
            "tags of the jobs; in the flow, of everything",
            _ALL,
            most=50,
            rule="tag_value",
            key_rule="tag_key",
            otherwise="flowc's own",
            example='{ team = "research" }',
            aliases=("tag", "labels"),
        ),
        SettingRow(
            "log_group",
            "string",
            None,
            "the CloudWatch log group of what steps print",
            _ALL,
            rule="log_group",
            otherwise="made by flowc",
            aliases=("loggroup", "awslogs_group"),
        ),
        SettingRow(
            "log_level",
            "word",
            "error",
            "which events of an execution are logged",
            _FLOW,
            words=("off", "fatal", "error", "all"),
        ),
        SettingRow(
            "log_retention",
            "duration",
            30 * DAY,
            "how long logs are kept, in days that CloudWatch knows",
            _FLOW,
            among=tuple(days * DAY for days in _RETENTION),
            aliases=("retention", "retention_in_days"),
        ),
        SettingRow(
            "map",
            "word",
            "inline",
            "how a `foreach` runs; `distributed` is for lists of thousands of items",
            _FLOW,
            words=("inline", "distributed"),
        ),
        SettingRow("tracing", "bool", False, "executions are traced with X-Ray", _FLOW, aliases=("xray", "x_ray")),
    ),
    aliases=("aws", "step_functions", "stepfunctions", "batch", "aws_batch"),
)

# --- this machine -----------------------------------------------------------------------------------------------------

_LOCAL = TargetRow(
    "local",
    "this machine",
    (
        SettingRow(
            "jobs", "int", None, "steps at the same time", _FLOW, least=1, most=10_000, otherwise="as the cores allow"
        ),
        SettingRow(
            "cpus",
            "number",
            None,
            "cores to share out among the steps",
            _FLOW,
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
            _ALL,
            rule="word",
            otherwise="the one that runs flowc",
            example='".venv/bin/python"',
            aliases=("interpreter", "python_path", "venv"),
        ),
    ),
    aliases=("localhost", "here", "laptop"),
)

TARGETS = {row.name: row for row in (_ARGO, _SFN, _LOCAL)}

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
            aliases=_ARGO.aliases,
        ),
        SettingRow(
            "sfn",
            "string",
            None,
            "a key of a secret in AWS Secrets Manager, or a parameter of the Parameter Store",
            rule="aws_secret",
            example='"prod/hub:token"',
            aliases=(*_SFN.aliases, "secrets_manager", "ssm"),
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
