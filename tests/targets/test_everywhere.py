"""The example runs on the laptop, on the Argo engine and on the Step Functions engine, with the same results."""

from __future__ import annotations

import os
from pathlib import Path
from unittest import mock

import pytest

from tests.engines.argo.cluster import Cluster
from tests.engines.aws.stack import Aws
from tests.targets.deployed import IMAGE, Values, locally, node_environment, on_argo, on_sfn

DIGITS = Path(__file__).parents[2] / "examples/digits_torch/digits.flow"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture(scope="module")
def local_values(tmp_path_factory: pytest.TempPathFactory) -> Values:
    return locally(DIGITS, tmp_path_factory.mktemp("local") / "run", {"epochs": "3"})


def test_the_run_learns_something(local_values: Values) -> None:
    assert set(local_values) == {"prepare", "train", "evaluate", "report"}
    assert local_values["evaluate"]["accuracy"] > 0.8


def test_argo_gives_the_same(tmp_path: Path, local_values: Values) -> None:
    with Cluster(tmp_path / "cluster", base_env=IMAGE) as cluster:
        deployed = on_argo(cluster, DIGITS, tmp_path)
        workflow = deployed.start({"epochs": "3"})

        assert workflow.wait(200) == "Succeeded", workflow.describe()

    assert deployed.values(workflow) == local_values


def test_step_functions_and_batch_give_the_same(tmp_path: Path, local_values: Values) -> None:
    with mock.patch.dict(os.environ), Aws(tmp_path / "aws", base_env=node_environment, seed=1) as aws:
        deployed = on_sfn(aws, DIGITS, tmp_path)
        execution = deployed.start({"epochs": 3}, name="run-7")

        assert execution.wait(200) == "SUCCEEDED", execution.explain()
        assert deployed.values("run-7") == local_values
