"""Framework blocks: which launcher starts the body of a gang, and the images that hold them."""

from __future__ import annotations

from dataclasses import dataclass

from .rows import SettingRow
from .settings import MIB, TIB


@dataclass(frozen=True, slots=True)
class FrameworkRow:
    """`image` names a row of IMAGES; `runs` says where the body runs."""

    name: str
    doc: str
    runs: str
    image: str
    settings: tuple[SettingRow, ...]
    aliases: tuple[str, ...] = ()

    def setting(self, name: str) -> SettingRow | None:
        return next((row for row in self.settings if row.name == name), None)


# The images that steps run in when they name none, by framework; `{version}` is flowc's.
IMAGES = {
    name: f"flowc/runtime:{{version}}-{name}" for name in ("base", "torch", "deepspeed", "ray", "tensorflow", "mpi")
}


def _procs(default: int | None, otherwise: str = "") -> SettingRow:
    return SettingRow(
        "procs_per_node",
        "int",
        default,
        "processes on each node",
        least=1,
        most=1024,
        otherwise=otherwise,
        aliases=("nproc_per_node", "nproc", "processes", "slots", "ppn", "procs"),
    )


def _port(doc: str, usual: int) -> SettingRow:
    return SettingRow(
        "port",
        "int",
        None,
        doc,
        least=1024,
        most=65535,
        otherwise=f"{usual} or, where that is taken, any",
        aliases=("master_port", "rdzv_port", "main_port"),
    )


_ONE_PER_GPU = "one per GPU, or one"
# What mpirun is told by flowc, in the spellings of both implementations.
_MPIRUN_OWN = (
    *((option, "the setting `procs_per_node`") for option in ("-n", "-np", "--n", "--np", "-c", "-ppn", "-npernode")),
    *((option, "set by flowc itself") for option in ("-host", "--host", "-H", "-hosts", "-f", "-hostfile")),
    *((option, "set by flowc itself") for option in ("--hostfile", "-machinefile", "--machinefile")),
)

FRAMEWORKS = {
    row.name: row
    for row in (
        FrameworkRow(
            "torchrun",
            "torch's elastic launcher on every node, with the environment of `torch.distributed`; the nodes meet by a "
            "c10d rendezvous on node 0",
            "on every node, `procs_per_node` processes each",
            "torch",
            (
                _procs(None, _ONE_PER_GPU),
                SettingRow(
                    "max_restarts",
                    "int",
                    0,
                    "restarts of all processes within one attempt of the step",
                    least=0,
                    most=100,
                    aliases=("restarts",),
                ),
                _port("the port of the rendezvous on node 0", 29500),
            ),
            aliases=("torch", "pytorch", "ddp", "torch_distributed"),
        ),
        FrameworkRow(
            "deepspeed",
            "the DeepSpeed launcher, with its environment and its host file",
            "on every node, `procs_per_node` processes each",
            "deepspeed",
            (
                _procs(None, _ONE_PER_GPU),
                SettingRow(
                    "launcher",
                    "word",
                    "torchrun",
                    "what starts the processes; `pdsh` and `openmpi` log in to the nodes by SSH",
                    words=("torchrun", "pdsh", "openmpi"),
                ),
                SettingRow(
                    "config",
                    "string",
                    None,
                    "a DeepSpeed configuration (a JSON file) in the flow's folder",
                    rule="bundle_file",
                    otherwise="none",
                    aliases=("deepspeed_config", "ds_config"),
                ),
            ),
            aliases=("ds", "deep_speed"),
        ),
        FrameworkRow(
            "tensorflow",
            "`TF_CONFIG` on every node, with all nodes in their order",
            "on every node, one process",
            "tensorflow",
            (
                _port("the port of each node's server", 12345),
                SettingRow(
                    "chief", "bool", False, "node 0 is the `chief`; otherwise all nodes are of the kind `worker`"
                ),
            ),
            aliases=("tf", "keras"),
        ),
        FrameworkRow(
            "ray",
            "a Ray cluster over all nodes; `RAY_ADDRESS` leads to it",
            "once, on node 0, as the driver, when all nodes have joined",
            "ray",
            (
                _port("the port of the head on node 0", 6379),
                SettingRow(
                    "dashboard", "bool", False, "the head serves Ray's dashboard", aliases=("include_dashboard",)
                ),
                SettingRow(
                    "object_store_memory",
                    "size",
                    None,
                    "memory of each node's object store, a part of the node's `memory`",
                    least=75 * MIB,  # Ray's own least
                    most=1024 * TIB,
                    otherwise="Ray's own: 30% of the node's memory",
                    aliases=("object_store", "plasma"),
                ),
            ),
        ),
        FrameworkRow(
            "mpi",
            "`mpirun` from node 0 over SSH, with a host file of all nodes",
            "as the command of `mpirun`, as many processes as there are nodes times `procs_per_node`",
            "mpi",
            (
                _procs(1),
                SettingRow(
                    "implementation",
                    "word",
                    "openmpi",
                    "whose `mpirun` it is",
                    words=("openmpi", "mpich"),
                    aliases=("flavor", "flavour", "impl"),
                ),
                SettingRow(
                    "args",
                    "strings",
                    None,
                    "further options of `mpirun`",
                    rule="word",
                    elsewhere=_MPIRUN_OWN,
                    otherwise="none",
                    example='["--bind-to", "core"]',
                    aliases=("options", "mpirun_args", "flags"),
                ),
            ),
            aliases=("mpirun", "openmpi", "mpich", "mpi4py"),
        ),
    )
}
