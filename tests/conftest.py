# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from .helpers import (
    ICH,
    KIDNEY,
    LUNG,
    OCT,
    ROOT,
    TINY_DETECTOR,
    workflow,
    write_chests,
    write_contest,
    write_heads,
    write_kidneys,
)

torch.set_num_threads(
    1
)  # tests run side by side; threads that wait for each other's cores are slower than one
os.environ.setdefault("OMP_NUM_THREADS", "1")


@pytest.fixture(scope="session")
def contest_dir(tmp_path_factory) -> Path:
    """A tiny data set in the contest's layout; read only."""
    return write_contest(tmp_path_factory.mktemp("contest"))


@pytest.fixture(scope="session")
def trained(contest_dir, tmp_path_factory) -> Path:
    """The output folder of oct_edema trained for two epochs on it; read only."""
    output = tmp_path_factory.mktemp("trained")
    here = Path.cwd()
    os.chdir(ROOT)
    try:
        workflow(
            OCT / "train.json", dataset_dir=str(contest_dir), output_dir=str(output), epochs=2, batch_size=4
        ).run()
    finally:
        os.chdir(here)
    return output


@pytest.fixture(scope="session")
def heads_dir(tmp_path_factory) -> Path:
    """A tiny head-CT data set in the contest's layout; read only."""
    return write_heads(tmp_path_factory.mktemp("heads"))


@pytest.fixture(scope="session")
def trained_ich(heads_dir, tmp_path_factory) -> Path:
    """The output folder of ich (ResNet-18) trained for two epochs on it; read only."""
    output = tmp_path_factory.mktemp("trained_ich")
    here = Path.cwd()
    os.chdir(ROOT)
    try:
        options = {"dataset_dir": str(heads_dir), "output_dir": str(output), "epochs": 2, "batch_size": 4}
        workflow(ICH / "train.json", **{"network_def#backbone": "resnet18"}, **options).run()
    finally:
        os.chdir(here)
    return output


@pytest.fixture(scope="session")
def kidneys_dir(tmp_path_factory) -> Path:
    """A tiny data set of vessels in the contest's layout; read only."""
    return write_kidneys(tmp_path_factory.mktemp("kidneys"))


@pytest.fixture(scope="session")
def trained_kidney(kidneys_dir, tmp_path_factory) -> Path:
    """The output folder of kidney_vasculature (width 4) trained for two epochs on it; read only."""
    output = tmp_path_factory.mktemp("trained_kidney")
    here = Path.cwd()
    os.chdir(ROOT)
    try:
        options = {"dataset_dir": str(kidneys_dir), "output_dir": str(output), "epochs": 2, "width": 4}
        workflow(KIDNEY / "train.json", patches_per_epoch=16, **options).run()
    finally:
        os.chdir(here)
    return output


@pytest.fixture(scope="session")
def chests_dir(tmp_path_factory) -> Path:
    """A tiny data set of chest CTs in the contest's layout; read only."""
    return write_chests(tmp_path_factory.mktemp("chests"))


@pytest.fixture(scope="session")
def trained_lung(chests_dir, tmp_path_factory) -> Path:
    """The output folder of lung_nodule, a tiny detector that has learned what a nodule is; read only."""
    output = tmp_path_factory.mktemp("trained_lung")
    here = Path.cwd()
    os.chdir(ROOT)
    try:
        options = {"dataset_dir": str(chests_dir), "output_dir": str(output), "epochs": 10, "val_interval": 5}
        workflow(LUNG / "train.json", crops_per_epoch=64, **options, **TINY_DETECTOR).run()
    finally:
        os.chdir(here)
    return output


@pytest.fixture
def real_data() -> Path:
    """The folder of real scans; tests that need it are skipped where it is absent."""
    folder = Path(os.environ.get("TOMOBUNDLES_REAL_DATA", ROOT.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"no real scans in {folder} (set TOMOBUNDLES_REAL_DATA)")
    return folder
