# SPDX-License-Identifier: Apache-2.0
"""Runs of kidney_vasculature for its tests, and what they read back."""

from __future__ import annotations

import csv

import numpy as np
import tifffile
from scipy import ndimage

from tests.helpers import KIDNEY, workflow
from tomobundles.data.rle import submission_volume
from tomobundles.data.volumes import open_volume
from tomobundles.utils import InputError, find_input_error

TRAIN, EVALUATE, INFERENCE = (KIDNEY / f"{name}.json" for name in ("train", "evaluate", "inference"))
SMALL = {"epochs": 1, "width": 4, "patches_per_epoch": 8}
SHAPE = (8, 32, 24)  # of tests.helpers.write_kidneys


def infer(source, model, output, *overlays, **overrides):
    """Run inference of a model of width 4, which writes its probabilities unless told otherwise."""
    workflow(
        INFERENCE,
        *overlays,
        kind="infer",
        dataset_dir=str(source),
        ckpt_dir=str(model),
        output_dir=str(output),
        **({"width": 4, "outputs": ["probability"]} | overrides),
    ).run()


def evaluate(source, model, output, *overlays, **overrides):
    """Run an evaluation of a model of width 4."""
    workflow(
        TRAIN,
        *overlays,
        EVALUATE,
        dataset_dir=str(source),
        ckpt_dir=str(model),
        output_dir=str(output),
        **({"width": 4, "outputs": ["table"]} | overrides),
    ).run()


def rows_of(path):
    """Rows of a CSV file."""
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def stored_probability(output, name="kidney_5"):
    """What an inference wrote, 0-1."""
    stored = open_volume(output / name / f"{name}_probability.ome.zarr").read_all()
    return stored / 65535 if stored.dtype.kind == "u" else stored


def stack_of(folder):
    """File names and voxels (Z, Y, X) of a folder of slices."""
    files = sorted(folder.iterdir())
    return [file.name for file in files], np.stack([tifffile.imread(file) for file in files])


def decoded(path, order="C"):
    """The test kidney's mask, from the run lengths of a submission."""
    names = [f"{index:04d}" for index in range(SHAPE[0])]
    return submission_volume(path, "kidney_5", slice_names=names, shape=SHAPE[1:], order=order).read_all()


def component_sizes(mask):
    """Labels of a mask, and voxels of each but the background."""
    labels, _ = ndimage.label(mask, structure=np.ones((3, 3, 3)))
    return labels, np.bincount(labels.ravel())[1:]


def fault(error):
    """The InputError behind whatever MONAI raised."""
    found = find_input_error(error)
    assert isinstance(found, InputError), error
    assert len(str(found).splitlines()) <= 3
    return str(found)


def check_message(done, named):
    """A command ended with one short message that names something, and no traceback."""
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    before, _, message = done.stderr.rpartition("error: ")
    assert before == "" or before.endswith("\n")
    assert 0 < len(message.splitlines()) <= 3, done.stderr
    assert named in message
