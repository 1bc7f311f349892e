# SPDX-License-Identifier: Apache-2.0
"""Pictures of the same volumes after each validation, in TensorBoard and in MLflow's runs."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from ignite.engine import Events
from monai.data import MetaTensor
from monai.handlers import MLFlowHandler
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from tomobundles.handlers import PredictionPicturesHandler
from tomobundles.handlers.prediction_pictures import mlflow_handlers
from tomobundles.utils import InputError


class Marks:
    """Chooses a slice by the volume's value, draws it in gray; remembers what it was asked."""

    def __init__(self, *, refuse=()):
        self.chosen, self.drawn, self.refuse = [], [], refuse

    def choose(self, output, item):
        value = int(output["image"].max())
        self.chosen.append(value)
        return [value % 3], value >= 10  # two digits: a finding

    def draw(self, output, item, slices):
        value = int(output["image"].max())
        if value in self.refuse:
            raise InputError("NaN in the prediction")
        self.drawn.append((value, *slices))
        return np.full((4, 5, 3), value, np.uint8)


class Run(MLFlowHandler):
    """Stands for MONAI's handler with a run of its own, and keeps the pictures that it is given."""

    def __init__(self):
        self.pictures, self.cur_run = {}, None
        self.client = SimpleNamespace(log_image=self.log_image)

    def attach(self, engine):
        engine.add_event_handler(Events.STARTED, self.start)

    def start(self, engine):
        self.cur_run = SimpleNamespace(info=SimpleNamespace(run_id="a run"))

    def log_image(self, run_id, image, *, key, step):
        self.pictures.setdefault((run_id, key), []).append((step, int(image.max())))


def volumes(*values, name="v{}", **meta):
    return [
        {
            "image": MetaTensor(
                torch.full((1, 2, 2, 3), float(value)),
                meta={"filename_or_obj": f"/scans/{name.format(value)}.nii"} | meta,
            )
        }
        for value in values
    ]


def validate(engines, folder, values, *handlers, epochs=(1,), picture=None, samples=None, **options):
    """Run validations; gives the handler's picture, which remembers."""
    picture = picture or Marks()
    handler = PredictionPicturesHandler(folder, picture=picture, **options)
    samples = samples or volumes(*values)
    evaluator = engines.evaluator([1.0] * len(epochs), volumes=samples, handlers=[handler, *handlers])
    for epoch in epochs:
        evaluator.run(global_epoch=epoch)
    return picture


def images(folder):
    """Steps of each image of a folder of event files."""
    events = EventAccumulator(str(folder))
    events.Reload()
    return {tag: [one.step for one in events.Images(tag)] for tag in events.Tags()["images"]}


def test_volumes_with_findings_come_first_and_stay(engines, tmp_path):
    picture = validate(engines, tmp_path, (1, 12, 2, 13, 14), max_volumes=2, epochs=(1, 4))
    assert images(tmp_path) == {"prediction/v12": [1, 4], "prediction/v13": [1, 4]}
    # slices are chosen once; a volume after the last one that is needed is not looked at
    assert picture.chosen == [1, 12, 2, 13]
    assert [one for one in picture.drawn if one[0] >= 10] == [(12, 0), (13, 1)] * 2
    assert len(picture.drawn) == 6


def test_where_findings_are_few_other_volumes_fill_up(engines, tmp_path):
    picture = validate(engines, tmp_path, (1, 2, 3, 4, 12), max_volumes=3, epochs=(1, 2), tag="seen")
    assert images(tmp_path) == {f"seen/v{value}": [1, 2] for value in (12, 1, 2)}
    # the first validation draws no more of them than might be shown
    assert [value for value, _ in picture.drawn] == [1, 2, 3, 12, 1, 2, 12]


def test_pixels_come_back(engines, tmp_path):
    validate(engines, tmp_path, (12,))
    events = EventAccumulator(str(tmp_path))
    events.Reload()
    [image] = events.Images("prediction/v12")
    assert (image.width, image.height) == (5, 4)


def test_a_run_of_mlflow_gets_the_same_pictures(engines, tmp_path):
    run = Run()
    validate(engines, tmp_path, (12, 13), run, epochs=(1, 2))
    assert run.pictures == {
        ("a run", "prediction/v12"): [(1, 12), (2, 12)],
        ("a run", "prediction/v13"): [(1, 13), (2, 13)],
    }


def test_only_open_runs_of_the_same_engine_count(engines):
    run, other = Run(), engines.evaluator()
    evaluator = engines.evaluator(handlers=[run])
    assert mlflow_handlers(evaluator) == []  # not started
    run.start(evaluator)
    assert mlflow_handlers(evaluator) == [run]
    assert mlflow_handlers(other) == []


@pytest.mark.parametrize(
    ("name", "meta", "expected"),
    [
        ("Müller, A", {}, "M_ller__A"),
        ("Doe", {"form": "dicom", "series_uid": "1.2.3"}, "1.2.3"),  # no name of a folder
    ],
)
def test_names(engines, tmp_path, name, meta, expected):
    validate(engines, tmp_path, (), samples=volumes(12, name=name, **meta))
    assert images(tmp_path) == {f"prediction/{expected}": [1]}


def test_a_samples_own_name_goes_before_its_file(engines, tmp_path):
    samples = [sample | {"name": "kidney_3"} for sample in volumes(12)]
    validate(engines, tmp_path, (), samples=samples)
    assert images(tmp_path) == {"prediction/kidney_3": [1]}


def test_a_scan_listed_twice_is_shown_once(engines, tmp_path):
    picture = validate(engines, tmp_path, (), samples=volumes(12, 12))
    assert picture.drawn == [(12, 0)]


def test_what_cannot_be_drawn_does_not_end_the_training(engines, tmp_path, caplog):
    validate(engines, tmp_path, (12, 13), picture=Marks(refuse=(12,)))
    assert images(tmp_path) == {"prediction/v13": [1]}
    assert "no picture of v12: NaN in the prediction" in caplog.text


def test_without_a_picture_there_is_no_file(engines, tmp_path):
    validate(engines, tmp_path / "events", (12,), picture=Marks(refuse=(12,)))
    assert not (tmp_path / "events").exists()


def test_no_volumes():
    with pytest.raises(InputError, match="pictures of 0 volumes"):
        PredictionPicturesHandler("log", picture=Marks(), max_volumes=0)
