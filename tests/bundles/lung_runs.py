# SPDX-License-Identifier: Apache-2.0
"""Runs of lung_nodule for its tests, and what they read back."""

from __future__ import annotations

import json

import numpy as np

from tests.bundles.kidney_runs import rows_of
from tests.helpers import LUNG, TINY_DETECTOR, TINY_NETWORK, workflow
from tomobundles.data.volumes.metaimage import read_metaimage

TRAIN, EVALUATE, MINE, INFERENCE = (
    LUNG / f"{name}.json" for name in ("train", "evaluate", "mine", "inference")
)
SMALL = {"epochs": 1, "crops_per_epoch": 8}
WORLD = ("coordX", "coordY", "coordZ", "diameter_mm")


def train(source, output, *overlays, network=TINY_DETECTOR, **overrides):
    """Train a tiny network for an epoch of eight crops, unless told otherwise; gives the models' folder."""
    given = {"dataset_dir": str(source), "output_dir": str(output)} | SMALL | network | overrides
    workflow(TRAIN, *overlays, **given).run()
    return output / "models"


def evaluate(source, output, *overlays, network=TINY_NETWORK, **overrides):
    """Evaluate the models in ``output``; gives metrics.json."""
    given = {"dataset_dir": str(source), "output_dir": str(output), "bootstrap": 20} | network
    workflow(TRAIN, *overlays, EVALUATE, **(given | {"outputs": ["contest_csv"]} | overrides)).run()
    folder = overrides.get("evaluation_dir", f"{output}/evaluation")
    with open(f"{folder}/metrics.json") as stream:
        return json.load(stream)


def mine(source, output, **overrides):
    """Find the false positives of a tiny detector; gives their table."""
    given = {"dataset_dir": str(source), "output_dir": str(output)} | TINY_NETWORK | overrides
    workflow(TRAIN, MINE, **given).run()
    return output / "mining" / "false_positives.csv"


def infer(source, model, output, *overlays, network=TINY_NETWORK, **overrides):
    """Run inference of a tiny network; gives the rows of predictions.csv."""
    given = {"dataset_dir": str(source), "ckpt_dir": str(model), "output_dir": str(output)} | network
    given |= {"outputs": ["contest_csv"]} | overrides
    workflow(INFERENCE, *overlays, kind="infer", **given).run()
    return rows_of(output / "predictions.csv") if "contest_csv" in given["outputs"] else []


def world(rows):
    """(N, 4) x, y, z, diameter in mm of rows of a table."""
    return np.array([[float(row[name]) for name in WORLD] for row in rows]).reshape(-1, 4)


def truth(source, seriesuid):
    """(N, 4) annotated nodules of a scan."""
    return world([row for row in rows_of(source / "annotations.csv") if row["seriesuid"] == seriesuid])


def chest(source, seriesuid="LKDS-00801"):
    """HU (rows, columns, slices) of a chest of ``write_chests`` and its affine, RAS mm."""
    [path] = source.rglob(f"{seriesuid}.mhd")
    slices, affine = read_metaimage(path)
    return slices.transpose(1, 2, 0), affine
