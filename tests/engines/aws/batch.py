"""A local Batch: an HTTP endpoint on loopback that speaks Batch's REST JSON and runs jobs as processes.

Takes RegisterJobDefinition, DeregisterJobDefinition, DescribeJobDefinitions, SubmitJob, DescribeJobs, ListJobs,
TerminateJob and CancelJob from any client; refuses what `batch_rules` refuses and job queues that nobody declared.
Behaves towards nodes as Batch does towards containers: on a multi-node job the main node starts first, children
start late and in random order, a dead child changes nothing, the main node's exit ends the job and stops the
children, only children are told the main node's address, and each attempt is a fresh gang (an older one may still be
dying). Times that AWS counts in minutes are multiplied by `time_scale`.

A test steers it with `hold`/`release`, `fail_next`, `before_child`, and through `jobs`: `Job.kill_node`,
`Job.lose_host`, `Job.nodes`.
"""

from __future__ import annotations

import fnmatch
import itertools
import json
import os
import random
import re
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from . import batch_rules as rules
from .batch_jobs import TERMINAL, Attempt, Job, now
from .batch_nodes import Node, NodeContext, kill_all, processes_of, stop_nodes
from .batch_rules import BatchError, Json

BaseEnv = Mapping[str, str] | Callable[[NodeContext], Mapping[str, str]]

STOP_GRACE_SECONDS = 30.0  # Batch user guide: SIGKILL follows SIGTERM after 30 seconds
_addresses = itertools.count()


def _next_address() -> str:
    """A loopback address that no other node of this process has, apart from those of other test processes."""
    number = next(_addresses)
    return f"127.{16 + os.getpid() % 200}.{number // 250 % 250}.{1 + number % 250}"


@dataclass(slots=True)
class _Fault:
    calls: int
    operation: str | None
    error: BatchError


class Batch:
    """The service. `base_env` is added to every node's environment; `secrets` maps `valueFrom` texts to values."""

    def __init__(
        self,
        folder: Path,
        *,
        base_env: BaseEnv | None = None,
        secrets: Mapping[str, str] | None = None,
        time_scale: float = 1.0,
        child_delay: tuple[float, float] = (0.0, 0.05),
        seed: int | None = None,
        region: str = "us-east-1",
        account: str = "123456789012",
        on_change: Callable[[], None] | None = None,
    ) -> None:
        self.folder = folder
        self.base_env = base_env
        self.secrets = dict(secrets or {})
        self.time_scale = time_scale
        self.child_delay = child_delay
        self.jobs: list[Job] = []
        self.definitions: list[Json] = []
        self.calls: list[str] = []
        self.queues: set[str] = set()
        self.before_child: Callable[[NodeContext], None] | None = None
        """Called before a child node starts; a test may delay the child by sleeping in it."""
        self._arn = f"arn:aws:batch:{region}:{account}"
        self._random = random.Random(seed)
        self._on_change = on_change or (lambda: None)
        self._held: set[str] = set()
        self._faults: list[_Fault] = []
        self._lock = threading.RLock()
        self._released = threading.Condition(self._lock)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), name="batch", daemon=True).start()

    # -- what a test steers ---------------------------------------------------------------------------------------

    def job(self, name: str, nth: int = -1) -> Job:
        """The job of that name (a glob), the latest by default."""
        found = [job for job in self.jobs if fnmatch.fnmatchcase(job.name, name)]
        if not found:
            raise LookupError(f"no job {name!r} among {[job.name for job in self.jobs]}")
        return found[nth]

    def wait_job(self, name: str, timeout: float = 30) -> Job:
        """Waits until a job of that name (a glob) has been submitted."""
        deadline = time.monotonic() + timeout
        while True:
            try:
                return self.job(name)
            except LookupError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    def hold(self, name: str = "*") -> None:
        """Jobs with such a name (a glob) stay RUNNABLE, as when no capacity is to be had."""
        with self._lock:
            self._held.add(name)

    def release(self) -> None:
        with self._released:
            self._held.clear()
            self._released.notify_all()

    def fail_next(self, calls: int, code: str = "ServerException", operation: str | None = "SubmitJob") -> None:
        """The next `calls` calls (of `operation`, or of any) fail: ServerException, TooManyRequestsException, ..."""
        status = {"ServerException": 500, "TooManyRequestsException": 429}.get(code, 400)
        with self._lock:
            self._faults.append(_Fault(calls, operation, BatchError(f"injected {code}", code, status)))

    def is_multinode(self, reference: str) -> bool:
        return bool(self._definition(reference)["type"] == "multinode")

    def processes(self) -> list[int]:
        """Ids of all living processes of all jobs."""
        return [process.pid for process in processes_of([node for job in self.jobs for node in job.all_nodes])]

    def close(self) -> None:
        """Terminates all jobs, waits until no process is left, closes the endpoint."""
        self.release()
        for job in self.jobs:
            if job.status not in TERMINAL:
                job.terminated = job.terminated or "the test ended"
        for job in self.jobs:
            job.clean.wait(60)
        kill_all([node for job in self.jobs for node in job.all_nodes])
        self._server.shutdown()
        self._server.server_close()

    # -- the API --------------------------------------------------------------------------------------------------

    def call(self, operation: str, request: Json) -> Json:
        with self._lock:
            self.calls.append(operation)
            for fault in self._faults:
                if fault.calls > 0 and fault.operation in (None, operation):
                    fault.calls -= 1
                    raise fault.error
            rules.check_shape(operation, request)
            handler: Callable[[Json], Json] = getattr(self, "_" + re.sub(r"(?<!^)([A-Z])", r"_\1", operation).lower())
            return handler(request)

    def _register_job_definition(self, request: Json) -> Json:
        rules.check_definition(request)
        name = request["jobDefinitionName"]
        revision = 1 + sum(definition["jobDefinitionName"] == name for definition in self.definitions)
        arn = f"{self._arn}:job-definition/{name}:{revision}"
        self.definitions.append({**request, "revision": revision, "jobDefinitionArn": arn, "status": "ACTIVE"})
        return {"jobDefinitionName": name, "jobDefinitionArn": arn, "revision": revision}

    def _deregister_job_definition(self, request: Json) -> Json:
        self._definition(request["jobDefinition"])["status"] = "INACTIVE"
        return {}

    def _describe_job_definitions(self, request: Json) -> Json:
        wanted = self.definitions
        if "jobDefinitionName" in request:
            wanted = [d for d in wanted if d["jobDefinitionName"] == request["jobDefinitionName"]]
        if "jobDefinitions" in request:
            names = request["jobDefinitions"]
            wanted = [d for d in wanted if d["jobDefinitionArn"] in names or self._revision_name(d) in names]
        if "status" in request:
            wanted = [d for d in wanted if d["status"] == request["status"]]
        return {"jobDefinitions": wanted}

    @staticmethod
    def _revision_name(definition: Json) -> str:
        return f"{definition['jobDefinitionName']}:{definition['revision']}"

    def _definition(self, reference: str) -> Json:
        """By ARN, `name:revision` or name (then the latest active one)."""
        for definition in reversed(self.definitions):
            names = (
                definition["jobDefinitionArn"],
                self._revision_name(definition),
                definition["jobDefinitionName"],
                definition["jobDefinitionArn"].rpartition(":")[0],
            )
            if definition["status"] == "ACTIVE" and reference in names:
                return definition
        raise BatchError(f"JobDefinition {reference} not found or inactive")

    def _submit_job(self, request: Json) -> Json:
        definition = self._definition(request["jobDefinition"])
        rules.check_submission(request, definition)
        if request["jobQueue"].rpartition("job-queue/")[2] not in self.queues:
            raise BatchError(f"JobQueue {request['jobQueue']} can not be found")
        job_id = str(uuid.uuid4())
        job = Job(
            job_id,
            request,
            definition,
            rules.node_containers(request, definition),
            {**definition.get("parameters", {}), **request.get("parameters", {})},
            f"{self._arn}:job/{job_id}",
        )
        self.jobs.append(job)
        threading.Thread(target=self._run, args=(job,), name=f"job {job.name}", daemon=True).start()
        return {"jobArn": job.arn, "jobName": job.name, "jobId": job.id}

    def _find(self, reference: str) -> tuple[Job, int | None] | None:
        job_id, _, index = reference.rpartition("/")[2].partition("#")
        for job in self.jobs:
            if job.id == job_id and (not index or (job.multinode and int(index) < len(job.containers))):
                return job, int(index) if index else None
        return None

    def _describe_jobs(self, request: Json) -> Json:
        if len(request["jobs"]) > 100:
            raise BatchError("at most 100 jobs")
        found = [self._find(reference) for reference in request["jobs"]]
        return {"jobs": [pair[0].describe(pair[1]) for pair in found if pair is not None]}

    def _list_jobs(self, request: Json) -> Json:
        status = request.get("jobStatus", "RUNNING")
        jobs = [job for job in self.jobs if job.status == status]
        return {
            "jobSummaryList": [
                {
                    "jobArn": job.arn,
                    "jobId": job.id,
                    "jobName": job.name,
                    "status": job.status,
                    "createdAt": job.created,
                    "jobDefinition": job.definition["jobDefinitionArn"],
                }
                for job in jobs
            ]
        }

    def _terminate_job(self, request: Json) -> Json:
        found = self._find(request["jobId"])
        if found is not None and found[0].status not in TERMINAL:
            found[0].terminated = request["reason"]
            self._released.notify_all()
        return {}  # Batch answers success for unknown and finished jobs alike

    def _cancel_job(self, request: Json) -> Json:
        found = self._find(request["jobId"])
        # botocore: "Jobs that progressed to the STARTING or RUNNING state aren't canceled."
        if found is not None and found[0].status in ("SUBMITTED", "PENDING", "RUNNABLE"):
            return self._terminate_job(request)
        return {}

    # -- the life of a job ----------------------------------------------------------------------------------------

    def _set(self, job: Job, status: str, reason: str = "") -> None:
        with self._lock:
            job.status, job.status_reason = status, reason
            job.history.append(status)
            if status in TERMINAL:
                job.stopped = now()
                job.over.set()
        self._on_change()

    def _run(self, job: Job) -> None:
        cleaners: list[threading.Thread] = []
        try:
            for number in itertools.count(1):
                self._set(job, "RUNNABLE")
                with self._released:
                    while job.terminated is None and any(fnmatch.fnmatchcase(job.name, name) for name in self._held):
                        self._released.wait(1)
                if job.terminated is not None:
                    self._set(job, "FAILED", job.terminated)
                    return
                self._set(job, "STARTING")
                if self._attempt(job, number, cleaners):
                    return
        except BatchError as error:
            self._set(job, "FAILED", str(error))
        except BaseException as error:
            self._set(job, "FAILED", f"test engine: {error!r}")
            raise
        finally:
            for cleaner in cleaners:
                cleaner.join(60)
            job.clean.set()
            self._on_change()

    def _attempt(self, job: Job, number: int, cleaners: list[threading.Thread]) -> bool:
        """Runs one attempt; gives whether the job is over."""
        attempt = Attempt(number, self._nodes(job, number))
        main = attempt.nodes[job.main_index]
        length = max(rules.overrides_length(node.command, self._added(job, node)) for node in attempt.nodes)
        if length > rules.MAX_OVERRIDES_CHARACTERS:
            # Netflix/metaflow#1326: seen only as a failed job, after SubmitJob had said yes.
            self._set(job, "FAILED", "Container Overrides length must be at most 8192")
            return True
        main.start()
        attempt.started = now()
        job.attempts.append(attempt)
        children_stop = threading.Event()
        if main.process is not None:
            job.started = job.started or attempt.started
            self._set(job, "RUNNING")
            threading.Thread(target=self._start_children, args=(job, attempt, children_stop), daemon=True).start()
        seconds = (job.timeout or {}).get("attemptDurationSeconds")
        deadline = None if seconds is None else time.monotonic() + seconds * self.time_scale
        status_reason = ""
        while not main.poll():
            for node in attempt.nodes:
                node.poll()
            if job.terminated is not None:
                status_reason = job.terminated
            elif deadline is not None and time.monotonic() > deadline:
                status_reason = "Job attempt duration exceeded timeout"
            if status_reason:
                break
            time.sleep(0.01)
        attempt.stopped = now()
        stopped_by_batch = bool(status_reason)
        if main.lost:
            status_reason = "Host EC2 (instance i-0123456789abcdef0) terminated."
        ended = "Essential container in task exited" if main.process is not None else "Task failed to start"
        attempt.status_reason = status_reason or ended
        cleaner = threading.Thread(target=self._stop_gang, args=(attempt, children_stop), daemon=True)
        cleaners.append(cleaner)
        cleaner.start()
        if stopped_by_batch:
            cleaner.join()
            self._set(job, "FAILED", attempt.status_reason)
        elif main.exit_code == 0:
            self._set(job, "SUCCEEDED", attempt.status_reason)
        elif not rules.retry_wanted(
            job.retry_strategy, number, None if main.lost else main.exit_code, main.reason, attempt.status_reason
        ):
            self._set(job, "FAILED", attempt.status_reason)
        else:
            return False
        return True

    def _stop_gang(self, attempt: Attempt, children_stop: threading.Event) -> None:
        children_stop.set()
        with self._lock:  # no child starts once this lock has been had with children_stop set
            nodes = [node for node in attempt.nodes if node.process is not None]
        stop_nodes(nodes, STOP_GRACE_SECONDS * self.time_scale)

    def _start_children(self, job: Job, attempt: Attempt, stop: threading.Event) -> None:
        children = [node for node in attempt.nodes if node.index != job.main_index]
        self._random.shuffle(children)
        for node in children:
            if stop.wait(self._random.uniform(*self.child_delay)):
                return
            if self.before_child is not None:
                self.before_child(node.context)
            with self._lock:
                if stop.is_set():
                    return
                node.start()

    def _nodes(self, job: Job, attempt: int) -> list[Node]:
        count = len(job.containers)
        root = self.folder / f"{job.name}-{job.id[:8]}"
        contexts = [
            NodeContext(
                job.id,
                job.name,
                attempt,
                index,
                count,
                index == job.main_index,
                _next_address(),
                root / f"attempt{attempt}-node{index}",
            )
            for index in range(count)
        ]
        main_address = contexts[job.main_index].address
        return [
            Node(
                context,
                rules.substitute(container.get("command", ()), job.parameters),
                self._environment(job, context, container, main_address),
                root / f"attempt{attempt}-node{context.index}.log",
            )
            for context, container in zip(contexts, job.containers, strict=True)
        ]

    def _environment(self, job: Job, context: NodeContext, container: Json, main_address: str) -> dict[str, str]:
        """Everything a node's process sees: what the definition, the request, Batch and the test give it."""
        base = self.base_env(context) if callable(self.base_env) else self.base_env or {}
        environment = {**base, **{entry["name"]: entry["value"] for entry in container["environment"]}}
        for secret in container.get("secrets", ()):
            if secret["valueFrom"] not in self.secrets:
                raise BatchError(f"ResourceInitializationError: unable to pull secret {secret['valueFrom']}")
            environment[secret["name"]] = self.secrets[secret["valueFrom"]]
        environment.update(
            {
                "AWS_BATCH_JOB_ID": job.id,
                "AWS_BATCH_JOB_ATTEMPT": str(context.attempt),
                "AWS_BATCH_JQ_NAME": job.request["jobQueue"].rpartition("job-queue/")[2],
                "AWS_BATCH_CE_NAME": "test-compute-environment",
            }
        )
        if job.multinode:
            environment.update(
                {
                    "AWS_BATCH_JOB_ID": f"{job.id}#{context.index}",
                    "AWS_BATCH_JOB_NODE_INDEX": str(context.index),
                    "AWS_BATCH_JOB_NUM_NODES": str(context.num_nodes),
                    "AWS_BATCH_JOB_MAIN_NODE_INDEX": str(job.main_index),
                }
            )
            if not context.is_main:
                environment["AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS"] = main_address
        return environment

    def _added(self, job: Job, node: Node) -> dict[str, str]:
        """The part of a node's environment that reaches ECS as an override."""
        asked = {entry["name"] for entry in job.request.get("containerOverrides", {}).get("environment", ())}
        for override in job.request.get("nodeOverrides", {}).get("nodePropertyOverrides", ()):
            asked |= {entry["name"] for entry in override.get("containerOverrides", {}).get("environment", ())}
        return {n: v for n, v in node.environment.items() if n in asked or n.startswith("AWS_BATCH_")}


def _handler(batch: Batch) -> type[BaseHTTPRequestHandler]:
    operations = {
        model.http["requestUri"]: name
        for name in (
            "RegisterJobDefinition",
            "DeregisterJobDefinition",
            "DescribeJobDefinitions",
            "SubmitJob",
            "DescribeJobs",
            "ListJobs",
            "TerminateJob",
            "CancelJob",
        )
        for model in [rules.service_model().operation_model(name)]
    }

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_POST(self) -> None:  # the name http.server calls
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            headers: dict[str, str] = {}
            try:
                operation = operations.get(self.path)
                if operation is None:
                    raise BatchError(f"test engine: {self.path} is not simulated", "NotFoundException", 404)
                status, answer = 200, batch.call(operation, json.loads(body or b"{}"))
            except BatchError as error:
                status, answer = error.status, {"message": str(error)}
                headers["x-amzn-errortype"] = error.code
            payload = json.dumps(answer).encode()
            self.send_response(status)
            for name, value in {
                **headers,
                "Content-Type": "application/json",
                "x-amzn-RequestId": str(uuid.uuid4()),
                "Content-Length": str(len(payload)),
            }.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the name http.server gives
            pass

    return Handler
