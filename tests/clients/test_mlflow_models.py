# SPDX-License-Identifier: Apache-2.0
"""Models: logged, registered, aliased, loaded, through the unmodified mlflow client."""

import time

import mlflow
import numpy
import pytest
from mlflow.exceptions import MlflowException


@pytest.fixture
def name():
    return f"model-{time.time_ns()}"


def test_versions_and_aliases(client, experiment, name):
    created = client.create_registered_model(name, tags={"k": "v"}, description="text")
    assert created.tags == {"k": "v"}
    with pytest.raises(MlflowException, match="exists"):
        client.create_registered_model(name)
    for number in ("1", "2"):
        version = client.create_model_version(name, f"s3://bucket/{number}", tags={"n": number})
        assert (version.version, version.status) == (number, "READY")
    client.set_registered_model_alias(name, "champion", "1")
    client.set_registered_model_alias(name, "champion", "2")
    client.set_registered_model_alias(name, "challenger", "1")
    assert client.get_model_version_by_alias(name, "champion").version == "2"
    model = client.get_registered_model(name)
    assert model.aliases == {"champion": "2", "challenger": "1"}
    assert [v.version for v in model.latest_versions] == ["2"]
    client.delete_registered_model_alias(name, "challenger")
    with pytest.raises(MlflowException) as caught:
        client.get_model_version_by_alias(name, "challenger")
    assert caught.value.error_code == "INVALID_PARAMETER_VALUE"
    assert client.get_model_version(name, "2").aliases == ["champion"]
    assert client.get_model_version_download_uri(name, "2") == "s3://bucket/2"
    client.update_model_version(name, "1", "described")
    client.set_model_version_tag(name, "1", "stage", "gold")
    client.delete_model_version_tag(name, "1", "n")
    assert client.get_model_version(name, "1").tags == {"stage": "gold"}
    found = client.search_model_versions(f"name = '{name}'", order_by=["version_number ASC"])
    assert [v.version for v in found] == ["1", "2"]
    assert [m.name for m in client.search_registered_models(f"name LIKE '{name}'")] == [name]
    client.set_registered_model_tag(name, "t", "1")
    client.delete_registered_model_tag(name, "t")
    client.rename_registered_model(name, name + "-renamed")
    client.delete_model_version(name + "-renamed", "1")
    client.delete_registered_model(name + "-renamed")
    with pytest.raises(MlflowException) as caught:
        client.get_registered_model(name + "-renamed")
    assert caught.value.error_code == "RESOURCE_DOES_NOT_EXIST"


def test_xgboost_models_are_logged_registered_and_loaded_by_alias(client, experiment, name):
    xgboost = pytest.importorskip("xgboost")
    generator = numpy.random.default_rng(1)
    rows = generator.normal(size=(200, 4))
    target = (rows[:, 0] + rows[:, 1] > 0).astype(int)
    booster = xgboost.train({"objective": "binary:logistic", "max_depth": 3},
                            xgboost.DMatrix(rows, label=target), 10)
    with mlflow.start_run() as run:
        logged = mlflow.xgboost.log_model(booster, name="model", input_example=rows[:2],
                                          registered_model_name=name)
        mlflow.log_metric("auc", 0.9, model_id=logged.model_id)
    client.set_registered_model_alias(name, "champion", "1")
    loaded = mlflow.xgboost.load_model(f"models:/{name}@champion")
    matrix = xgboost.DMatrix(rows)
    numpy.testing.assert_allclose(loaded.predict(matrix), booster.predict(matrix), rtol=1e-6)
    pyfunc = mlflow.pyfunc.load_model(f"models:/{name}/1")
    numpy.testing.assert_allclose(pyfunc.predict(rows), booster.predict(matrix), rtol=1e-6)
    version = client.get_model_version(name, "1")
    assert version.run_id == run.info.run_id
    model = mlflow.get_logged_model(logged.model_id)
    assert model.status.value == "READY"
    assert [(m.key, m.value) for m in model.metrics] == [("auc", 0.9)]
    outputs = client.get_run(run.info.run_id).outputs.model_outputs
    assert [o.model_id for o in outputs] == [logged.model_id]
    found = mlflow.search_logged_models(
        experiment_ids=[experiment], filter_string="metrics.auc > 0.8", output_format="list",
        order_by=[{"field_name": "metrics.auc", "ascending": False}])
    assert [m.model_id for m in found] == [logged.model_id]
    client.set_logged_model_tags(logged.model_id, {"k": "v"})
    client.delete_logged_model_tag(logged.model_id, "k")
    assert "k" not in mlflow.get_logged_model(logged.model_id).tags


def test_register_model_of_a_run(client, experiment, name, tmp_path):
    sklearn = pytest.importorskip("sklearn.linear_model")
    model = sklearn.LinearRegression().fit([[0.0], [1.0]], [1.0, 3.0])
    with mlflow.start_run() as run:
        mlflow.sklearn.log_model(model, name="linear", skops_trusted_types=[])
    version = mlflow.register_model(f"runs:/{run.info.run_id}/linear", name)
    assert version.version == "1"
    loaded = mlflow.pyfunc.load_model(f"models:/{name}/1")
    numpy.testing.assert_allclose(loaded.predict([[2.0]]), [5.0], rtol=1e-6)
    copied = client.copy_model_version(f"models:/{name}/1", name + "-copy")
    assert copied.version == "1"
    assert mlflow.pyfunc.load_model(f"models:/{name}-copy/1") is not None


def test_autologging(client, experiment):
    linear = pytest.importorskip("sklearn.linear_model")
    mlflow.sklearn.autolog(log_models=False, silent=True)
    try:
        with mlflow.start_run() as run:
            # MLflow describes arrays and frames as data sets, plain lists it does not.
            rows = numpy.array([[0.0], [1.0], [2.0], [3.0]])
            linear.LogisticRegression().fit(rows, numpy.array([0, 0, 1, 1]))
    finally:
        mlflow.sklearn.autolog(disable=True)
    loaded = client.get_run(run.info.run_id)
    assert loaded.data.params["fit_intercept"] == "True"
    assert "training_score" in loaded.data.metrics
    assert len(loaded.inputs.dataset_inputs) >= 1
