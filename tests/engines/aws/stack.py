"""The front door: an AWS account on this machine for one test.

    with Aws(tmp_path, base_env={"PATH": os.environ["PATH"]}) as aws:
        stack = aws.deploy(template_text, parameters={"JobQueue": aws.queue_arn})
        execution = stack.start({"n": "4"})
        assert execution.wait(30) == "SUCCEEDED", execution.explain()
        assert aws.batch.job("train").nodes[0].output() == "..."

Takes a folder for logs and working directories, and what a node's environment gets besides what its documents say
(a mapping, or a function of the node's `NodeContext`). One `Aws` is open at a time in a process, because moto's state
is the process's. Leaving the block stops executions, terminates jobs, and raises if a process is left.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from . import asl, server
from .batch import BaseEnv, Batch
from .batch_nodes import NodeContext
from .cloudformation import Created, Deployment, Resource, TemplateError, job_definition_request
from .oracles import submit_job_blocks

_names = itertools.count(1)
MAX_DEFINITION_BYTES = 1_048_576  # Step Functions service quotas
MAX_STATE_NAME = 80
MAX_INPUT_BYTES = 262_144


class Execution:
    """One execution of a state machine."""

    def __init__(self, arn: str) -> None:
        self.arn = arn
        self._client = asl._client("stepfunctions", None)

    def describe(self) -> dict[str, Any]:
        answer: dict[str, Any] = self._client.describe_execution(executionArn=self.arn)
        return answer

    @property
    def status(self) -> str:
        return str(self.describe()["status"])

    def wait(self, timeout: float = 60) -> str:
        """SUCCEEDED, FAILED, TIMED_OUT or ABORTED; raises TimeoutError with the history's tail."""
        deadline = time.monotonic() + timeout
        while (status := self.status) == "RUNNING":
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError(f"{self.arn} still runs after {timeout} s\n{self.explain()}")
            asl.wiring().pulse.wait(min(left, 0.2))
        return status

    @property
    def error(self) -> str | None:
        return self.describe().get("error")

    @property
    def cause(self) -> str | None:
        return self.describe().get("cause")

    @property
    def output(self) -> Any:
        """The decoded output of an execution that succeeded."""
        return json.loads(self.describe()["output"])

    def history(self) -> list[dict[str, Any]]:
        """All events, as GetExecutionHistory shows them."""
        events: list[dict[str, Any]] = self._client.get_execution_history(executionArn=self.arn, maxResults=1000)[
            "events"
        ]
        return events

    def entered(self) -> list[str]:
        """The names of the states that were entered, in order."""
        return [
            event["stateEnteredEventDetails"]["name"] for event in self.history() if "stateEnteredEventDetails" in event
        ]

    def stop(self, error: str = "", cause: str = "") -> None:
        """StopExecution, as soon as the execution has begun."""
        deadline = time.monotonic() + 10
        while not self.history() and time.monotonic() < deadline:
            time.sleep(0.01)  # moto stops an execution that has not begun with an AttributeError
        self._client.stop_execution(executionArn=self.arn, error=error, cause=cause)

    def explain(self) -> str:
        """Status, error and the last events, for a failing test's message."""
        seen = self.describe()
        lines = [f"{seen['status']} error={seen.get('error')} cause={seen.get('cause')}"]
        for event in self.history()[-12:]:
            details: Any = next((value for key, value in event.items() if key.endswith("EventDetails")), {})
            lines.append(f"  {event['id']} {event['type']} {json.dumps(details, default=str)[:300]}")
        return "\n".join(lines)


class Stack:
    """What a deployed template made."""

    def __init__(self, deployment: Deployment, machines: dict[str, str]) -> None:
        self.name = deployment.stack_name
        self.outputs = deployment.outputs
        self.resources: dict[str, Resource] = deployment.resources
        self.machines = machines
        """Logical id -> ARN of every state machine."""

    def start(
        self,
        input: Mapping[str, Any] | None = None,  # noqa: A002  # AWS's word
        name: str | None = None,
        machine: str | None = None,
    ) -> Execution:
        """Starts the only state machine, or the one with logical id `machine`."""
        if machine is None and len(self.machines) != 1:
            raise ValueError(f"which machine? {sorted(self.machines)}")
        arn = self.machines[machine] if machine is not None else next(iter(self.machines.values()))
        text = json.dumps(dict(input or {}))
        if len(text.encode()) > MAX_INPUT_BYTES:
            raise ValueError("execution input over 262,144 bytes")
        name = name or f"execution-{next(_names)}"  # moto: two executions without a name collide
        if asl.execution_name_faults(name):
            raise ValueError(f"InvalidName: {name!r}")
        answer = asl._client("stepfunctions", None).start_execution(stateMachineArn=arn, name=name, input=text)
        return Execution(answer["executionArn"])


class Aws:
    """See the module's text. `time_scale` multiplies Batch's timeouts and stop grace (so that 60 s can be 0.6 s),
    `wait_scale` Wait states and Retry intervals; `child_delay` is the range of a child node's start delay in seconds;
    `secrets` maps the texts of `valueFrom` to values."""

    _open: Aws | None = None

    def __init__(
        self,
        workdir: Path,
        *,
        base_env: BaseEnv | None = None,
        secrets: Mapping[str, str] | None = None,
        time_scale: float = 0.05,
        wait_scale: float = 0.02,
        child_delay: tuple[float, float] = (0.0, 0.05),
        seed: int | None = None,
        terminate_on_timeout: bool = True,
        queue: str = "test-queue",
    ) -> None:
        if Aws._open is not None:
            raise RuntimeError("another Aws is open in this process")
        self._base_env = base_env
        self.workdir = workdir
        server.reset()
        self._wiring = asl.Wiring(
            "", lambda reference: self.batch.is_multinode(reference), wait_scale, terminate_on_timeout
        )
        self.batch = Batch(
            workdir / "batch",
            base_env=self._environment,
            secrets=secrets,
            time_scale=time_scale,
            child_delay=child_delay,
            seed=seed,
            region=server.REGION,
            account=server.ACCOUNT,
            on_change=self._wiring.pulse.beat,
        )
        self._wiring.batch_url = self.batch.url
        asl.install(self._wiring)
        self.s3_url = server.moto_url()
        self.queue_arn = self.add_queue(queue)
        self._stepfunctions = asl._client("stepfunctions", None)
        Aws._open = self

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stops what runs and checks that nothing is left."""
        if Aws._open is not self:
            return
        try:
            for machine in self._stepfunctions.list_state_machines()["stateMachines"]:
                arn = machine["stateMachineArn"]
                for seen in self._stepfunctions.list_executions(stateMachineArn=arn)["executions"]:
                    if seen["status"] == "RUNNING":
                        execution = Execution(seen["executionArn"])
                        execution.stop()
                        execution.wait(10)
        finally:
            self.batch.close()
            Aws._open = None
        left = self.batch.processes()
        if left:
            raise RuntimeError(f"processes {left} outlive their jobs")

    # -- services -------------------------------------------------------------------------------------------------

    @property
    def s3(self) -> Any:
        """A boto3 S3 client."""
        return asl._client("s3", None)

    @property
    def actions(self) -> set[str]:
        """What executions have called so far (`batch:SubmitJob`, `s3:GetObject`): their roles must allow it."""
        return self._wiring.actions

    def bucket(self, name: str = "test-bucket") -> str:
        """Makes a bucket and gives its name."""
        self.s3.create_bucket(Bucket=name)
        return name

    def client_environment(self) -> dict[str, str]:
        """Variables by which another process reaches this S3; nodes have them already."""
        return server.client_environment()

    def add_queue(self, name: str) -> str:
        """Declares a job queue; jobs for others are refused. Gives its ARN."""
        self.batch.queues.add(name)
        return f"arn:aws:batch:{server.REGION}:{server.ACCOUNT}:job-queue/{name}"

    def _environment(self, context: NodeContext) -> dict[str, str]:
        """On AWS a container gets credentials and region from its role; here from these variables."""
        own = self._base_env(context) if callable(self._base_env) else self._base_env or {}
        return {**server.client_environment(), **own}

    # -- deployment -----------------------------------------------------------------------------------------------

    def deploy(self, template: str, parameters: Mapping[str, str] | None = None, name: str = "stack") -> Stack:
        """Deploys a CloudFormation template; deploying it again under the same name updates what it made."""
        machines: dict[str, str] = {}

        def create(logical: str, kind: str, properties: dict[str, Any]) -> Created | None:
            default_name = f"{name}-{logical}"
            if kind == "AWS::Batch::JobDefinition":
                answer = self.batch.call("RegisterJobDefinition", job_definition_request(properties, default_name))
                return Created(answer["jobDefinitionArn"], {"JobDefinitionArn": answer["jobDefinitionArn"]})
            if kind == "AWS::Batch::JobQueue":
                arn = self.add_queue(properties.get("JobQueueName", default_name))
                return Created(arn, {"JobQueueArn": arn})
            if kind == "AWS::S3::Bucket":
                bucket = self.bucket(properties.get("BucketName", default_name.lower()))
                return Created(bucket, {"Arn": f"arn:aws:s3:::{bucket}"})
            if kind == "AWS::StepFunctions::StateMachine":
                machine, arn = self._machine(logical, default_name, properties)
                machines[logical] = arn
                return Created(arn, {"Arn": arn, "Name": machine})
            return None

        deployment = Deployment(
            template,
            dict(parameters or {}),
            stack_name=name,
            create=create,
            region=server.REGION,
            account=server.ACCOUNT,
        )
        deployment.deploy()
        return Stack(deployment, machines)

    def machine(self, definition: Mapping[str, Any] | str, name: str = "machine") -> Stack:
        """Deploys one state machine without a template, for a test of the language itself."""
        text = definition if isinstance(definition, str) else json.dumps(definition)
        return self.deploy(
            json.dumps(
                {
                    "Resources": {
                        "Machine": {
                            "Type": "AWS::StepFunctions::StateMachine",
                            "Properties": {"DefinitionString": text, "StateMachineName": name, "RoleArn": _ROLE},
                        }
                    }
                }
            ),
            name=name,
        )

    def _machine(self, logical: str, default_name: str, properties: dict[str, Any]) -> tuple[str, str]:
        known = {
            "StateMachineName",
            "Definition",
            "DefinitionString",
            "DefinitionSubstitutions",
            "RoleArn",
            "StateMachineType",
            "LoggingConfiguration",
            "TracingConfiguration",
            "Tags",
            "DefinitionS3Location",
        }
        where = f"Resources.{logical}"
        if set(properties) - known:
            raise TemplateError(f"{where}: unknown properties {sorted(set(properties) - known)}")
        if "RoleArn" not in properties:
            raise TemplateError(f"{where}: RoleArn is required")
        text = self._definition_text(where, properties)
        for key, value in properties.get("DefinitionSubstitutions", {}).items():
            text = text.replace("${" + key + "}", str(value))
        if "${" in text:
            raise TemplateError(f"{where}: a ${{...}} without substitution: {text[text.index('${') :][:60]}")
        check_machine(where, text)
        name = properties.get("StateMachineName", default_name)
        role = properties["RoleArn"]
        existing = {m["name"]: m["stateMachineArn"] for m in self._stepfunctions.list_state_machines()["stateMachines"]}
        if name in existing:
            self._stepfunctions.update_state_machine(stateMachineArn=existing[name], definition=text, roleArn=role)
            return name, existing[name]
        answer = self._stepfunctions.create_state_machine(
            name=name, definition=text, roleArn=role, type=properties.get("StateMachineType", "STANDARD")
        )
        return name, str(answer["stateMachineArn"])

    def _definition_text(self, where: str, properties: dict[str, Any]) -> str:
        given = [key for key in ("Definition", "DefinitionString", "DefinitionS3Location") if key in properties]
        if len(given) != 1:
            raise TemplateError(f"{where}: one of Definition, DefinitionString, DefinitionS3Location; got {given}")
        value = properties[given[0]]
        if given[0] == "Definition":
            return json.dumps(value)
        if given[0] == "DefinitionString":
            return str(value)
        return str(self.s3.get_object(Bucket=value["Bucket"], Key=value["Key"])["Body"].read().decode())


_ROLE = "arn:aws:iam::123456789012:role/test"


def check_machine(where: str, text: str) -> None:
    """What CreateStateMachine refuses and moto does not."""
    if len(text.encode()) > MAX_DEFINITION_BYTES:
        raise TemplateError(f"{where}: definition of {len(text.encode())} bytes; at most {MAX_DEFINITION_BYTES}")
    definition = json.loads(text)
    long_names = [name for name in state_names(definition) if len(name) > MAX_STATE_NAME]
    if long_names:
        raise TemplateError(f"{where}: state names over {MAX_STATE_NAME} characters: {long_names}")
    faults = [f"{block.state}: {fault}" for block in submit_job_blocks(definition) for fault in block.faults]
    if faults:
        raise TemplateError(f"{where}: SCHEMA_VALIDATION_FAILED: {faults}")


def state_names(definition: Any) -> list[str]:
    """All state names, nested ones included."""
    names: list[str] = []
    if isinstance(definition, dict):
        if isinstance(definition.get("States"), dict):
            names += definition["States"]
        for value in definition.values():
            names += state_names(value)
    elif isinstance(definition, list):
        for value in definition:
            names += state_names(value)
    return names
