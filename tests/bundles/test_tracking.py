# SPDX-License-Identifier: Apache-2.0
"""What a training leaves in TensorBoard's files and in an MLflow store, read back by step."""

import csv
import json
import re
from collections import defaultdict

import numpy as np
import pytest
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tests.helpers import OCT, bundle_run

LOSSES = {"loss", "loss_wce", "loss_eldice", "loss_bce"}
CLASSES = {f"{metric}_{name}" for metric in ("dice", "auc_volume") for name in ("REA", "SRF", "PED")}
PICTURES = {"prediction/P5_a", "prediction/P6_a"}


@pytest.fixture(scope="module")
def tracked(contest_dir, tmp_path_factory):
    """oct_edema trained for two epochs with ``--tracking mlflow``: output folder, client and run."""
    mlflow = pytest.importorskip("mlflow", reason="MLflow is an extra: tomobundles[tracking]")
    pytest.importorskip("sqlalchemy", reason="MLflow's SQLite store needs it")
    root = tmp_path_factory.mktemp("tracked")
    uri = f"sqlite:///{root}/store.db"
    done = bundle_run(
        "training",
        config_file=OCT / "train.json",
        dataset_dir=contest_dir,
        output_dir=root / "output",
        epochs=2,
        batch_size=4,
        tracking="mlflow",
        tracking_uri=uri,
        experiment_name="edema",
        run_name="first",
        save_execute_config=root / "executed.json",
    )
    assert done.returncode == 0, done.stderr
    client = mlflow.MlflowClient(tracking_uri=uri)
    experiment = client.get_experiment_by_name("edema")
    [run] = client.search_runs([experiment.experiment_id])
    return root, client, run


def events(folder):
    found = EventAccumulator(str(folder / "tensorboard"), size_guidance={"images": 0, "scalars": 0})
    found.Reload()
    return found


def scalars(folder):
    """Tag -> step -> value of TensorBoard."""
    found = events(folder)
    return {tag: {one.step: one.value for one in found.Scalars(tag)} for tag in found.Tags()["scalars"]}


def pictures(folder):
    """Tag -> step -> encoded picture of TensorBoard."""
    found = events(folder)
    return {
        tag: {one.step: one.encoded_image_string for one in found.Images(tag)}
        for tag in found.Tags()["images"]
    }


def logged_pictures(client, run, folder):
    """Key -> step -> picture of MLflow, which writes both into the files' names."""
    found = defaultdict(dict)
    for entry in client.list_artifacts(run.info.run_id, "images"):
        if entry.path.endswith(".png"):
            key, step = re.match(r"images/(.+)\+step\+(\d+)\+", entry.path).groups()
            path = client.download_artifacts(run.info.run_id, entry.path, str(folder))
            found[key.replace("~", "/")][int(step)] = np.asarray(Image.open(path))
    return dict(found)


def test_mlflow_has_losses_by_term_and_metrics_by_class(tracked):
    root, client, run = tracked
    assert (run.info.run_name, run.info.status) == ("first", "FINISHED")
    assert run.data.params["max_epochs"] == "2"
    with (root / "output" / "history.csv").open() as stream:
        rows = {int(row["epoch"]): row for row in csv.DictReader(stream)}
    for name in LOSSES | CLASSES:
        steps = {one.step: one.value for one in client.get_metric_history(run.info.run_id, name)}
        assert set(steps) == {1, 2}
        for step, value in steps.items():
            assert value == pytest.approx(float(rows[step][name]), rel=1e-4)
    iterations = [one.step for one in client.get_metric_history(run.info.run_id, "train_loss")]
    assert iterations == list(range(1, len(iterations) + 1))
    assert len(iterations) > 2


def test_tensorboard_has_the_same_numbers(tracked):
    root, client, run = tracked
    found = scalars(root / "output")
    for name in LOSSES | CLASSES:
        stored = {one.step: one.value for one in client.get_metric_history(run.info.run_id, name)}
        assert found[name] == pytest.approx(stored, rel=1e-6)


def test_both_have_the_same_pictures_of_each_validation(tracked, tmp_path):
    root, client, run = tracked
    board, stored = pictures(root / "output"), logged_pictures(client, run, tmp_path)
    assert set(board) == set(stored) == PICTURES
    for name in PICTURES:
        assert set(board[name]) == set(stored[name]) == {1, 2}
        for step, encoded in board[name].items():
            path = tmp_path / "board.png"
            path.write_bytes(encoded)
            np.testing.assert_array_equal(np.asarray(Image.open(path)), stored[name][step])
    shape = stored["prediction/P5_a"][1].shape
    assert shape[2] == 3
    assert max(shape) < 800
    # the network has changed, the slice has not
    first, second = (stored["prediction/P5_a"][step] for step in (1, 2))
    assert (first != second).any()
    half = shape[1] // 3
    np.testing.assert_array_equal(first[:, :half], second[:, :half])


def test_the_executed_config_is_kept(tracked):
    root, client, run = tracked
    executed = json.loads((root / "executed.json").read_text())
    assert executed["epochs"] == 2
    targets = [handler["_target_"] for handler in executed["validate"]["handlers"]]
    assert targets[-2:] == ["tomobundles.handlers.PredictionPicturesHandler", "MLFlowHandler"]
    assert "executed.json" in {entry.path for entry in client.list_artifacts(run.info.run_id)}


@pytest.mark.parametrize(
    ("fixture", "names", "steps"),
    [
        ("trained_ich", {"loss_asl", "auc_SAH", "patient_auc_any"}, {1, 2}),
        ("trained_kidney", {"loss_dice", "loss_bce", "surface_dice"}, {1, 2}),
        ("trained_lung", {"loss_box", "loss_positive", "cpm", "cpm_10_20"}, {5, 10}),
    ],
)
def test_the_other_bundles(fixture, names, steps, request):
    folder = request.getfixturevalue(fixture)
    found, drawn = scalars(folder), pictures(folder)
    for name in names:
        assert found[name]
    assert drawn
    for tag, shown in drawn.items():
        assert tag.startswith("prediction/")
        assert set(shown) == steps
    # what MLflow allows in names of metrics and of pictures
    assert all(re.fullmatch(r"[/\w.\- :]+", tag) for tag in found)
    assert all(re.fullmatch(r"[a-zA-Z0-9_\-./ ]+", tag) for tag in drawn)
