"""torchrun: torch's elastic launcher on every node, meeting by a c10d rendezvous on node 0.

The rendezvous id is the attempt, so that an old attempt's agents can never join a new one. c10d hands out ranks in the
order of the nodes' addresses as text (torch 2.13, dynamic_rendezvous.py sorts its participants), not in node order: the
process with RANK 0 may run on any node, and the runtime takes a gang's outputs from wherever it ran.
"""

from __future__ import annotations

import ipaddress
import os
import socket
from collections.abc import Mapping

from flowc.runtime import plan
from flowc.runtime.errors import BAD_PLAN, Stop
from flowc.runtime.frameworks import Launch, Node, RankVariables
from flowc.runtime.identity import interface_of
from flowc.runtime.plan import Json

# torchrun's own default (torch.distributed.run, "--master-port").
DEFAULT_PORT = 29500


class TorchrunGang:
    def __init__(self, settings: plan.Torchrun) -> None:
        self._settings = settings

    def share(self, node: Node) -> dict[str, Json]:
        wanted = self._settings.port
        if wanted is None and ipaddress.ip_address(node.address).is_loopback:
            # Several gangs may share this machine, and torch's store listens on all its addresses.
            return {"port": _any_port(node.address)}
        if _is_free(node.address, wanted or DEFAULT_PORT):
            return {"port": wanted or DEFAULT_PORT}
        if wanted is not None:
            raise Stop(BAD_PLAN, f"the port {wanted} that torchrun should use is taken on {node.address}")
        return {"port": _any_port(node.address)}

    def launch(self, node: Node, shared: Mapping[str, Json]) -> Launch:
        settings = self._settings
        main = node.addresses[0]
        host = f"[{main}]" if ipaddress.ip_address(main).version == 6 else main
        nodes = len(node.addresses)
        argv = [
            *(node.python, "-m", "torch.distributed.run"),
            *("--nnodes", str(nodes), "--nproc-per-node", str(settings.procs_per_node)),
            *("--max-restarts", str(settings.max_restarts)),
            *("--rdzv-backend", "c10d", "--rdzv-id", node.attempt),
            *("--rdzv-endpoint", f"{host}:{shared['port']}"),
            # Its own default for `join_timeout` is ten minutes, whatever the step says.
            *("--rdzv-conf", f"is_host={int(node.index == 0)},join_timeout={max(1, int(node.start_timeout))}"),
            *("--local-addr", node.address),
            # Otherwise it makes a folder in /tmp that stays for ever.
            *("--log-dir", node.scratch),
            *("--no-python", *node.trampoline),
        ]
        return Launch(
            argv=argv,
            env=self._environment(node),
            ranks=RankVariables("RANK", "LOCAL_RANK", "TORCHELASTIC_RESTART_COUNT"),
            restarts=settings.max_restarts,
        )

    def _environment(self, node: Node) -> dict[str, str]:
        env = {
            # Restarted ranks otherwise read a dead generation's addresses from the store that the agents share with
            # them: gloo then fails in every restart (seen with torch 2.13, two of two).
            "TORCH_DISABLE_SHARE_RDZV_TCP_STORE": "1",
        }
        threads = max(1, int(node.step.settings.cpu) // self._settings.procs_per_node)
        wishes = {"OMP_NUM_THREADS": str(threads)}
        interface = interface_of(node.address)
        if interface is not None:
            # Listeners belong on the gang's own network; both libraries otherwise guess from the host name.
            wishes |= {"GLOO_SOCKET_IFNAME": interface, "NCCL_SOCKET_IFNAME": interface}
        return env | {name: value for name, value in wishes.items() if name not in os.environ}


def _is_free(address: str, port: int) -> bool:
    family = socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address, port))
        except OSError:
            return False
    return True


def _any_port(address: str) -> int:
    family = socket.AF_INET6 if ipaddress.ip_address(address).version == 6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])
