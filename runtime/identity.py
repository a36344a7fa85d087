"""Who am I: one identity from the documented variables of each platform.

A gang in Argo is an Indexed Job of a JobSet (`JOB_COMPLETION_INDEX`, and labels of the pod by the downward API); a gang
in AWS Batch is a multi-node job (`AWS_BATCH_JOB_NODE_INDEX` and relatives). `attempt` is a name that the engine never
uses twice: a resubmitted Batch job counts its attempts from 1 again, so its job id is part of it.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Mapping
from dataclasses import dataclass

from flowc.runtime import layout
from flowc.runtime.errors import BAD_PLAN, Stop

_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Identity:
    """A node of one attempt of one task instance; `step` is the task's name, also for a decision.

    `address` is None where this node has still to find its own. `ix` is the path of indexes, "" at the top.
    """

    engine: str
    engine_ref: str
    store: str
    flow: str
    run: str
    step: str
    bundle: str
    attempt: str
    node: int
    nodes: int
    address: str | None
    ix: str = ""

    @property
    def path(self) -> tuple[int, ...]:
        return layout.path_of(self.ix)

    @property
    def name(self) -> str:
        """The instance as people read it."""
        return layout.instance_name(self.step, self.ix)


def identify(step: str, run: str | None, env: Mapping[str, str], ix: str = "") -> Identity:
    """The identity that the environment gives; `Stop` names the variable that is missing or unusable."""
    engine = _need(env, "FLOWC_ENGINE")
    readers = {"local": _local, "argo": _argo, "batch": _batch}
    if engine not in readers:
        raise Stop(BAD_PLAN, f"FLOWC_ENGINE is {engine!r}; this runtime knows {', '.join(sorted(readers))}")
    attempt, node, nodes, ref = readers[engine](env)
    bundle = _need(env, "FLOWC_BUNDLE")
    if not _DIGEST.fullmatch(bundle):
        raise Stop(BAD_PLAN, "FLOWC_BUNDLE is no sha256 in 64 hexadecimal digits")
    if not 0 <= node < nodes:
        raise Stop(BAD_PLAN, f"this is node {node} of a gang of {nodes}: nodes count from 0")
    return Identity(
        engine=engine,
        engine_ref=ref,
        store=_need(env, "FLOWC_STORE"),
        flow=_token("FLOWC_FLOW", _need(env, "FLOWC_FLOW")),
        run=_token("the run id", run if run is not None else _need(env, "FLOWC_RUN")),
        step=_token("the step", step),
        bundle=bundle,
        attempt=_token("the attempt", attempt),
        node=node,
        nodes=nodes,
        address=env.get("FLOWC_ADDRESS") or None,
        ix=_indexes(ix),
    )


def own_address(identity: Identity) -> str:
    """The address under which this gang's other nodes reach this one.

    Batch tells nobody a list of addresses, and its main node not even its own: there the interfaces decide. The gang's
    network is the one with the default route or, without one, the first that is up and not loopback.
    """
    if identity.address:
        try:
            return str(ipaddress.ip_address(identity.address))
        except ValueError:
            raise Stop(BAD_PLAN, f"FLOWC_ADDRESS is {identity.address!r}, not an IP address") from None
    import psutil

    up = {name for name, stats in psutil.net_if_stats().items() if stats.isup}
    found: list[str] = []
    for name, addresses in psutil.net_if_addrs().items():
        # docker0 and the like exist on every container host, and no other node reaches them.
        if name in up and not name.startswith(("docker", "br-", "veth", "virbr", "cni", "ecs-")):
            found += [entry.address for entry in addresses if entry.family == socket.AF_INET]
    outside = [address for address in found if not ipaddress.ip_address(address).is_loopback]
    routable = [address for address in outside if not ipaddress.ip_address(address).is_link_local]
    if routable or outside or found:
        return (routable or outside or found)[0]
    raise Stop(BAD_PLAN, "this node has no IPv4 address; set FLOWC_ADDRESS to the one that the gang's nodes can reach")


def interface_of(address: str) -> str | None:
    """The network interface that carries `address`; `lo` for the whole loopback range."""
    import psutil

    if ipaddress.ip_address(address).is_loopback:
        address = "127.0.0.1"
    for name, addresses in psutil.net_if_addrs().items():
        if any(entry.address == address for entry in addresses):
            return str(name)
    return None


def _local(env: Mapping[str, str]) -> tuple[str, int, int, str]:
    return _need(env, "FLOWC_ATTEMPT"), _number(env, "FLOWC_NODE", 0), _number(env, "FLOWC_NODES", 1), ""


def _argo(env: Mapping[str, str]) -> tuple[str, int, int, str]:
    ref = env.get("FLOWC_ENGINE_REF", "")
    if "FLOWC_JOBSET_UID" not in env:
        return f"pod-{_need(env, 'FLOWC_POD_UID')}", 0, 1, ref
    restart = _number(env, "FLOWC_JOBSET_RESTART", 0)
    attempt = f"js-{_need(env, 'FLOWC_JOBSET_UID')}-{restart}"
    return attempt, _number(env, "JOB_COMPLETION_INDEX", None), _number(env, "FLOWC_NODES", None), ref


def _batch(env: Mapping[str, str]) -> tuple[str, int, int, str]:
    # On a multi-node job the id of each node ends in `#index`; all nodes share what stands before it.
    job = _need(env, "AWS_BATCH_JOB_ID").partition("#")[0]
    attempt = f"batch-{job}-{_number(env, 'AWS_BATCH_JOB_ATTEMPT', None)}"
    node = _number(env, "AWS_BATCH_JOB_NODE_INDEX", 0)
    main = _number(env, "AWS_BATCH_JOB_MAIN_NODE_INDEX", 0)
    if main != 0:
        raise Stop(BAD_PLAN, f"the job's main node is {main}; flowc's job definitions say 0")
    return attempt, node, _number(env, "AWS_BATCH_JOB_NUM_NODES", 1), job


def _need(env: Mapping[str, str], name: str) -> str:
    value = env.get(name)
    if not value:
        raise Stop(BAD_PLAN, f"the variable {name} is not set: was this started by flowc's own documents?")
    return value


def _number(env: Mapping[str, str], name: str, default: int | None) -> int:
    text = env.get(name)
    if text is None and default is not None:
        return default
    if text is None or not text.isascii() or not text.isdigit():
        raise Stop(BAD_PLAN, f"the variable {name} is {text!r}, not a number")
    return int(text)


def _indexes(ix: str) -> str:
    if not layout.INDEXES.fullmatch(ix):
        raise Stop(BAD_PLAN, f"--ix is {ix!r}; it holds numbers with dots between them, such as 3.0")
    return ix


def _token(what: str, value: str) -> str:
    if not layout.TOKEN.fullmatch(value):
        raise Stop(BAD_PLAN, f"{what} is {value!r}; it may hold letters, digits, dots, dashes and underscores")
    return value
