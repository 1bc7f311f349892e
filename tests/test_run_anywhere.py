# SPDX-License-Identifier: Apache-2.0
"""Packed bundles run with MONAI and the packages that they name, without this repository."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import zipfile
from pathlib import Path

import pytest
import torch

from tests.helpers import ROOT, write_small_bundle
from tomobundles.scripts.package import package_bundle

HERE = ROOT / "tests" / "anywhere"
NAMES = ("oct_edema", "ich", "kidney_vasculature", "lung_nodule")


@pytest.fixture(scope="module")
def scans(contest_dir, heads_dir, kidneys_dir, chests_dir):
    """Where each bundle's data lie."""
    return dict(zip(NAMES, map(str, (contest_dir, heads_dir, kidneys_dir, chests_dir)), strict=True))


@pytest.fixture(scope="module")
def bundles(trained, trained_ich, trained_kidney, trained_lung, tmp_path_factory):
    """All four, small, packed and unpacked."""
    folder = tmp_path_factory.mktemp("anywhere")
    for room in ("docs", "benchmarks"):  # the cards link to them
        shutil.copytree(ROOT / room, folder / room)
    for name, output in zip(NAMES, (trained, trained_ich, trained_kidney, trained_lung), strict=True):
        write_small_bundle(folder / "bundles", name, output / "models")
    for name in NAMES:
        options = {"bundles_dir": folder / "bundles", "model_dir": folder / "bundles" / name / "models"}
        with zipfile.ZipFile(package_bundle(name, output_dir=folder / "zoo", **options)) as archive:
            archive.extractall(folder / "host")
    return folder / "host"


@pytest.fixture(scope="module")
def foreign(tmp_path_factory):
    """A bundle with packages of its own that are called as folders of ours."""
    root = tmp_path_factory.mktemp("foreign") / "foreign"
    for package in ("scripts", "networks", "transforms", "data"):
        (root / package).mkdir(parents=True)
        (root / package / "__init__.py").write_text("")
    (root / "networks" / "net.py").write_text(
        "import torch\n\nfrom scripts.width import WIDTH\nfrom transforms.scale import scale\n\n\n"
        "class Net(torch.nn.Module):\n"
        "    def __init__(self):\n        super().__init__()\n"
        "        self.layer = torch.nn.Conv2d(1, WIDTH, 1)\n\n"
        "    def forward(self, image):\n        return scale(self.layer(image))\n"
    )
    (root / "scripts" / "width.py").write_text("WIDTH = 7\n")
    (root / "transforms" / "scale.py").write_text("def scale(image):\n    return image * 2\n")
    (root / "configs").mkdir()
    (root / "models").mkdir()
    config = {
        "bundle_root": ".",
        "device": "cpu",
        "network_def": {"_target_": "networks.net.Net"},
        "run": [],
    }
    (root / "configs" / "inference.json").write_text(json.dumps(config))
    (root / "configs" / "metadata.json").write_text(json.dumps({"monai_version": "1.6.1", "version": "1"}))

    torch.save(
        torch.nn.ModuleDict({"layer": torch.nn.Conv2d(1, 7, 1)}).state_dict(), root / "models/model.pt"
    )
    return root


def _required(bundle):
    metadata = json.loads((bundle / "configs" / "metadata.json").read_text(encoding="utf-8"))
    return ["monai", "torch", "numpy", *metadata["required_packages_version"]]


def _python(arguments, *, cwd, required):
    """Python with the named distributions and what they require, and nothing else."""
    env = os.environ | {"PYTHONPATH": sysconfig.get_paths()["purelib"], "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-S", HERE / "only_required.py", ",".join(required), *arguments]
    return subprocess.run(
        list(map(str, command)), cwd=cwd, env=env, capture_output=True, text=True, check=False
    )


def test_the_environment_is_as_poor_as_said(bundles, tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import sys\nfor name in sys.argv[1:]:\n    __import__(name)\n")
    required = _required(bundles / "oct_edema")
    assert _python([script, "monai", "torch", "pydicom"], cwd=tmp_path, required=required).returncode == 0
    for name in ("pytest", "SimpleITK", "onnxruntime", "mlflow", "tomobundles"):
        done = _python([script, name], cwd=tmp_path, required=required)
        assert f"No module named '{name}'" in done.stderr, name


@pytest.mark.parametrize("name", NAMES)
def test_the_commands_run_from_the_bundles_root(name, bundles, scans, tmp_path):
    bundle = bundles / name
    options = ["--dataset_dir", scans[name], "--output_dir", tmp_path / "found"]
    run = ["-m", "monai.bundle", "run", "--config_file"]
    done = _python([*run, "configs/inference.json", *options], cwd=bundle, required=_required(bundle))
    assert done.returncode == 0, done.stderr[-3000:]
    assert list((tmp_path / "found").glob("*.csv"))
    options[3] = tmp_path / "trained"
    tiny = {
        "oct_edema": ["--batch_size", "4"],
        "ich": ["--batch_size", "4"],
        "kidney_vasculature": ["--patches_per_epoch", "8"],
        "lung_nodule": ["--crops_per_epoch", "8", "--crop_size", "32", "--augmentation#elastic", "0.5"],
    }[name]
    train = [*run, "configs/train.json", *options, "--epochs", "1", "--val_interval", "1", *tiny]
    done = _python(train, cwd=bundle, required=_required(bundle))
    assert done.returncode == 0, done.stderr[-3000:]
    assert (tmp_path / "trained" / "models" / "model.pt").is_file()


# every bundle is first once and last once, and the foreign one is met early, in the middle and late
ORDERS = (
    ("oct_edema", "foreign", "ich", "kidney_vasculature", "lung_nodule"),
    ("foreign", "lung_nodule", "kidney_vasculature", "ich", "oct_edema"),
    ("ich", "lung_nodule", "oct_edema", "foreign", "kidney_vasculature"),
    ("kidney_vasculature", "oct_edema", "lung_nodule", "foreign", "ich"),
)


@pytest.mark.parametrize("order", ORDERS, ids=lambda order: f"{order[0]} first")
def test_bundles_share_a_process(order, bundles, foreign, scans, tmp_path):
    paths = [foreign if name == "foreign" else bundles / name for name in order]
    required = sorted({name for path in bundles.iterdir() for name in _required(path)})
    run = scans if order is ORDERS[0] else {}  # the workflows once, in one process; elsewhere networks alone
    command = [HERE / "host.py", json.dumps(run), tmp_path, *paths]
    done = _python(command, cwd=tmp_path, required=required)
    assert done.returncode == 0, done.stderr[-3000:]
    told = json.loads(done.stdout.partition("DONE")[2])
    first = next(name for name in order if name != "foreign")
    assert Path(told.pop("code")).parents[1] == bundles / first
    shapes = {name: entry["shape"] for name, entry in told.items()}
    assert shapes == {
        "oct_edema": [1, 4, 32, 48],
        "ich": [1, 5, 1],
        "kidney_vasculature": [1, 1, 32, 48],
        "lung_nodule": [1, 15, 8, 8, 12],
        "foreign": [1, 7, 8, 8],
    }
    assert told["foreign"]["module"] == "networks.net"
    assert all(told[name]["files"] for name in run)
