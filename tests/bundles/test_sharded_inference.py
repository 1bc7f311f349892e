# SPDX-License-Identifier: Apache-2.0
"""Inference by two processes under torchrun writes the files that one process writes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest

from tests.bundles.kidney_runs import rows_of
from tests.handlers.ranks import files_of
from tests.helpers import ICH, KIDNEY, LUNG, OCT, ROOT, TINY_NETWORK, workflow
from tomobundles.utils import find_input_error

TIMEOUT = 300  # seconds; a group that hangs fails the test


@pytest.fixture(autouse=True)
def _from_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def torchrun(configs, output, *, ranks=2, **overrides):
    """``torchrun --nproc_per_node=2 -m monai.bundle run inference`` with the bundle's overlay."""
    files = [str(configs / name) for name in ("inference.json", "multi_gpu_inference.json")]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={ranks}"]
    command += ["-m", "monai.bundle", "run", "inference", "--config_file", str(files)]
    for name, value in (overrides | {"output_dir": output}).items():
        command += [f"--{name}", str(value)]
    env = os.environ | {"OMP_NUM_THREADS": "1"}
    return subprocess.run(
        command, env=env, cwd=ROOT, capture_output=True, text=True, check=False, timeout=TIMEOUT
    )


def alone(configs, output, **overrides):
    """The same in this process; gives the error that ends it, if one does."""
    options = {name: str(value) if name.endswith("_dir") else value for name, value in overrides.items()}
    try:
        workflow(configs / "inference.json", kind="infer", output_dir=str(output), **options).run()
    except Exception as error:
        return str(find_input_error(error) or error)
    return None


def untimed(folder):
    """Files of a folder; of tables and records what does not tell seconds."""
    files = files_of(folder)
    for name in files:
        if name.endswith(".csv"):
            rows = rows_of(folder / name)
            files[name] = [{key: one for key, one in row.items() if "seconds" not in key} for row in rows]
        elif name.endswith("run.json"):
            record = json.loads(files[name])
            files[name] = {key: one for key, one in record.items() if "seconds" not in key}
    return files


def copies(sources, folder):
    """Three volumes, or whatever files belong to them, in one folder."""
    folder.mkdir()
    for name, source in sources.items():
        (shutil.copytree if source.is_dir() else shutil.copyfile)(source, folder / name)
    return folder


def test_oct_edema(contest_dir, trained, tmp_path):
    scans = contest_dir / "Edema_trainingset" / "original_images"
    data = copies({path.name: path for path in sorted(scans.iterdir())[:3]}, tmp_path / "data")
    options = {"dataset_dir": data, "ckpt_dir": trained / "models"}
    options["outputs"] = ["mask", "csv", "contact_sheet", "animation", "contest"]
    (tmp_path / "two").mkdir()
    (tmp_path / "two" / "findings.csv").write_text("of an earlier run")
    done = torchrun(OCT, tmp_path / "two", **options)
    assert done.returncode == 0, done.stderr[-3000:]
    assert alone(OCT, tmp_path / "one", **options) is None
    found = files_of(tmp_path / "two")
    assert found == files_of(tmp_path / "one")
    assert len([name for name in found if name.endswith("_presence.csv")]) == 3
    assert len(rows_of(tmp_path / "two" / "findings.csv")) == 3


def test_ich_with_a_refused_study(heads_dir, trained_ich, tmp_path):
    scans = sorted(path for path in (heads_dir / "train").iterdir() if path.is_dir())[:3]
    data = copies({path.name: path for path in scans}, tmp_path / "data")
    np.save(data / "broken.npy", np.full((3, 32, 32), np.nan, np.float32))
    options = {"dataset_dir": data, "ckpt_dir": trained_ich / "models", "network_def#backbone": "resnet18"}
    options["outputs"] = ["csv", "html", "contest", "rsna"]
    done = torchrun(ICH, tmp_path / "two", **options)
    assert done.returncode != 0
    said = "1 of 4 studies were refused, the others have their results"
    assert done.stderr.count(said) == 1, done.stderr[-6000:]  # by rank 0; the other ends quietly
    assert "Traceback" not in done.stderr.partition(said)[0]
    assert said in alone(ICH, tmp_path / "one", **options)
    found = files_of(tmp_path / "two")
    assert found == files_of(tmp_path / "one")
    assert [row["status"] for row in rows_of(tmp_path / "two" / "patients.csv")] == ["ok"] * 3 + ["refused"]
    assert [row["name"] for row in rows_of(tmp_path / "two" / "refusals.csv")] == ["broken"]


def test_kidney_vasculature(kidneys_dir, trained_kidney, tmp_path):
    scans = ("train/kidney_1_dense", "train/kidney_2", "test/kidney_5")
    sources = {name.partition("/")[2]: kidneys_dir / name / "images" for name in scans}
    data = copies(sources, tmp_path / "data")
    options = {"dataset_dir": data, "ckpt_dir": trained_kidney / "models", "width": 4}
    options["outputs"] = ["mask", "rle", "projections"]
    done = torchrun(KIDNEY, tmp_path / "two", **options)
    assert done.returncode == 0, done.stderr[-3000:]
    assert alone(KIDNEY, tmp_path / "one", **options) is None
    assert untimed(tmp_path / "two") == untimed(tmp_path / "one")
    assert [row["name"] for row in rows_of(tmp_path / "two" / "vessels.csv")] == sorted(sources)
    assert not (tmp_path / "two" / "cache").exists()


def test_lung_nodule_with_more_ranks_than_scans(chests_dir, trained_lung, tmp_path):
    names = ("LKDS-00001", "LKDS-00002")
    files = [f"{name}{suffix}" for name in names for suffix in (".mhd", ".raw")]
    data = copies({file: chests_dir / "train" / file for file in files}, tmp_path / "data")
    options = {"dataset_dir": data, "ckpt_dir": trained_lung / "models", **TINY_NETWORK}
    options["outputs"] = ["contest_csv", "boxes", "mask", "contact_sheet"]
    done = torchrun(LUNG, tmp_path / "three", ranks=3, **options)
    assert done.returncode == 0, done.stderr[-3000:]
    assert alone(LUNG, tmp_path / "one", **options) is None
    assert untimed(tmp_path / "three") == untimed(tmp_path / "one")
    assert [row["name"] for row in rows_of(tmp_path / "three" / "cases.csv")] == list(names)
    assert rows_of(tmp_path / "three" / "predictions.csv")
