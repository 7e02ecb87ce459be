# SPDX-License-Identifier: Apache-2.0
"""Tables never seen before: `ciclo init` and `ciclo run` with no edit, then a prediction."""

import json
import pathlib
import subprocess
import zipfile

import mlflow
import numpy
import pandas
import pytest
import sklearn.datasets

# What a useful model reaches on the test rows, far below what these sets allow.
SETS = {
    "iris": ("accuracy", 0.8),
    "wine": ("accuracy", 0.8),
    "breast_cancer": ("auc", 0.95),
    "diabetes": ("r2", 0.2),
    "digits": ("accuracy", 0.85),
}


def table_of(name):
    """The set with classes by name, an id, a text column, and nulls in features and the text."""
    bunch = getattr(sklearn.datasets, f"load_{name}")(as_frame=True)
    table = bunch.frame.rename(columns=lambda column: column.replace(" ", "_"))
    if name in ("iris", "wine", "breast_cancer"):
        table["target"] = table["target"].map(dict(enumerate(bunch.target_names)))
    random = numpy.random.default_rng(11)
    table.insert(0, "row_id", [f"row-{i:05d}" for i in range(len(table))])
    table["source"] = random.choice(["north", "south", "lab 7"], size=len(table))
    for column in [*table.columns[1:3], "source"]:
        table.loc[random.random(len(table)) < 0.05, column] = None
    return table


def call(program, *arguments):
    done = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    assert done.returncode == 0, f"{arguments}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"
    return done.stdout


def properties_of(run, kind):
    for step in run["steps"]:
        if step["kind"] == kind:
            return step["outputs"][0]["properties"]
    raise AssertionError(f"the run has no step {kind}")


@pytest.mark.parametrize("name", SETS)
def test_a_table_becomes_a_deployed_model_without_an_edit(program, tmp_path, name):
    table = table_of(name)
    table.to_csv(tmp_path / f"{name}.csv", index=False)
    project = tmp_path / "project"
    call(program, "init", tmp_path / f"{name}.csv", "--target", "target", "--dir", project)
    assert "row_id" not in [
        line.split()[1] for line in (project / "ciclo.yaml").read_text().splitlines()
        if line.startswith("    - ") and len(line.split()) > 1]

    run = json.loads(call(program, "--json", "run", "--project", project))
    assert run["state"] == "succeeded"
    metric, floor = SETS[name]
    report = properties_of(run, "evaluate")
    assert report[metric] >= floor
    low, high = report["intervals"][metric]
    assert low <= report[metric] <= high

    rows = table.drop(columns="target").head(20)
    rows.to_csv(tmp_path / "rows.csv", index=False)
    answer = json.loads(call(program, "--json", "--project", project, "predict", name,
                             tmp_path / "rows.csv"))
    # Of several classes a row's answer is a mapping, of one number the number.
    predictions = numpy.array([list(row.values()) if isinstance(row, dict) else [row]
                               for row in answer["predictions"]], dtype=float)
    assert len(predictions) == 20
    assert numpy.isfinite(predictions).all()
    if metric == "r2":
        assert table["target"].min() - 100 < predictions.mean() < table["target"].max() + 100
        return
    assert ((predictions >= 0) & (predictions <= 1)).all()
    if predictions.shape[1] > 1:
        numpy.testing.assert_allclose(predictions.sum(axis=1), 1, atol=1e-6)


def test_the_positive_class_is_the_one_whose_probability_is_predicted(program, tmp_path):
    random = numpy.random.default_rng(3)
    table = pandas.DataFrame({"calls": random.normal(size=600), "noise": random.normal(size=600)})
    leaves = table.calls + 0.2 * random.normal(size=600) > 0
    table["state"] = numpy.where(leaves, "churned", "stayed")
    table.to_csv(tmp_path / "customers.csv", index=False)
    call(program, "init", tmp_path / "customers.csv", "--target", "state", "--dir", tmp_path)
    assert "positive: churned" in (tmp_path / "ciclo.yaml").read_text()
    call(program, "run", "--project", tmp_path)
    rows = pandas.DataFrame({"calls": [2.5, -2.5], "noise": [0.0, 0.0]})
    rows.to_csv(tmp_path / "rows.csv", index=False)
    answer = json.loads(call(program, "--json", "--project", tmp_path, "predict", "customers",
                             tmp_path / "rows.csv"))
    will, will_not = numpy.array(answer["predictions"], dtype=float).ravel()
    assert will > 0.8 and will_not < 0.2


def test_packed_files_and_other_encodings_are_read(program, tmp_path):
    random = numpy.random.default_rng(4)
    table = pandas.DataFrame({"größe": random.normal(size=300),
                              "town": random.choice(["Zürich", "Łódź"], 300)})
    table["y"] = (table["größe"] + 0.3 * random.normal(size=300) > 0).astype(int)
    text = table.to_csv(index=False)
    with zipfile.ZipFile(tmp_path / "packed.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("packed.csv", text)
    (tmp_path / "wide.csv").write_text(text, encoding="utf-16")
    table.to_json(tmp_path / "lines.jsonl", orient="records", lines=True)
    for name in ("packed.zip", "wide.csv", "lines.jsonl"):
        project = tmp_path / pathlib.Path(name).stem
        call(program, "init", tmp_path / name, "--target", "y", "--dir", project)
        call(program, "run", "--project", project)
        answer = json.loads(call(program, "--json", "--project", project, "predict", project.name,
                                 tmp_path / name))
        assert len(answer["predictions"]) == 300


def test_how_a_model_was_judged_lies_below_its_run(server, client, program, tmp_path):
    table = table_of("iris")
    table.to_csv(tmp_path / "judged.csv", index=False)
    call(program, "init", tmp_path / "judged.csv", "--target", "target", "--dir", tmp_path)
    with open(tmp_path / "ciclo.yaml", "a") as file:
        file.write("evaluate: {slices: [source]}\n")
    printed = call(program, "run", "--project", tmp_path, "--server", server.url)
    assert "95 % interval" in printed and "source=north" in printed

    version = client.get_model_version_by_alias("judged", "champion")
    files = {file.path for file in client.list_artifacts(version.run_id, "evaluation")}
    assert files == {"evaluation/report.json", "evaluation/decision.json",
                     "evaluation/validation_judged.json"}
    report = json.loads(pathlib.Path(
        client.download_artifacts(version.run_id, "evaluation/report.json")).read_text())
    assert {slice_["column"] for slice_ in report["slices"]} == {"source"}
    assert json.loads(pathlib.Path(client.download_artifacts(
        version.run_id, "evaluation/decision.json")).read_text())["passed"] is True
    shown = call(program, "runs", "show", version.run_id, "--server", server.url)
    assert "source=north" in shown and " … " in shown

    lineage = json.loads(pathlib.Path(
        client.download_artifacts(version.run_id, "model/lineage.json")).read_text())
    assert set(lineage) == {"inputs", "data_sets", "parameters", "learner", "program"}
    assert [one["name"] for one in lineage["data_sets"]] == ["judged.examples", "judged.judged"]
    assert lineage["parameters"]["seed"] == 7
    assert version.run_id not in json.dumps(lineage)

    experiment = client.get_experiment_by_name("judged")
    studies = [run for run in client.search_runs([experiment.experiment_id])
               if run.data.tags.get("ciclo.step") == "tune"]
    trials = json.loads(pathlib.Path(client.download_artifacts(
        studies[0].info.run_id, "evaluation/trials.json")).read_text())
    assert len(trials) == 8

    # MLflow takes the present where the file names no time; 1970 it would believe.
    model = mlflow.models.Model.load("models:/judged@champion")
    assert model.utc_time_created[:4] >= "2024"
