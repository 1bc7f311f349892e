# SPDX-License-Identifier: Apache-2.0
"""The verb ``package``: what is in the zip, same bytes for same input, and a run without the repository."""

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
import zipfile
from pathlib import Path

import pytest
import torch

from tests.helpers import ROOT
from tomobundles.scripts import package
from tomobundles.scripts.package import find_bundles, package_bundle
from tomobundles.scripts.sharing.manifest import file_sums, read_manifest
from tomobundles.utils import InputError

# -S skips site-packages and with it an editable install; the libraries' folders alone are put back
LIBRARIES = os.pathsep.join(dict.fromkeys([sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]))


def _copy_collection(folder):
    """The bundles and pages of the repository, without what training left there."""
    left_out = shutil.ignore_patterns("output", "sample", "models", "eval")
    shutil.copytree(ROOT / "bundles", folder / "bundles", ignore=left_out)
    shutil.copytree(ROOT / "docs", folder / "docs")
    return folder / "bundles"


@pytest.fixture(scope="module")
def collection(tmp_path_factory):
    """A copy of the bundles with a file that holds one tensor for each model; read only."""
    bundles_dir = _copy_collection(tmp_path_factory.mktemp("collection"))
    for bundle in bundles_dir.iterdir():
        (bundle / "models").mkdir()
        torch.save({"a": torch.zeros(2)}, bundle / "models" / "model.pt")
    return bundles_dir


@pytest.fixture
def bundles_dir(collection, tmp_path):
    """Another copy, to be damaged."""
    shutil.copytree(collection.parent, tmp_path / "repository")
    return tmp_path / "repository" / "bundles"


@pytest.fixture(scope="module")
def packed(collection, tmp_path_factory):
    """All four zips by task; read only."""
    folder = tmp_path_factory.mktemp("packed")
    tasks = sorted(path.name for path in collection.iterdir())
    return {task: package_bundle(task, output_dir=folder, bundles_dir=collection) for task in tasks}


@pytest.mark.parametrize("task", ["ich", "kidney_vasculature", "lung_nodule", "oct_edema"])
def test_what_is_in_a_zip(packed, collection, task):
    assert packed[task].name == f"{task}_v0.1.0.zip"
    with zipfile.ZipFile(packed[task]) as archive:
        files = {name.removeprefix(f"{task}/"): archive.read(name) for name in archive.namelist()}
        assert all(name.startswith(f"{task}/") for name in archive.namelist())
    assert {"LICENSE", "SHA256SUMS", "docs/README.md", "models/model.pt"} <= set(files)
    configs = {f"configs/{path.name}" for path in (collection / task / "configs").iterdir()}
    assert configs == {name for name in files if name.startswith("configs/")}
    assert {name.partition("/")[0] for name in files} == {
        "LICENSE",
        "SHA256SUMS",
        "configs",
        "docs",
        "models",
        "tomobundles",
    }
    assert not [name for name in files if "/scripts/" in name or name.endswith(".pyc") or "/." in name]
    sums = dict(reversed(line.split("  ", 1)) for line in files["SHA256SUMS"].decode().splitlines())
    assert sums == {name: hashlib.sha256(files[name]).hexdigest() for name in files if name != "SHA256SUMS"}


def test_all_zips_hold_the_same_code(packed):
    codes = []
    for task, path in packed.items():
        with zipfile.ZipFile(path) as archive:
            code = [name for name in archive.namelist() if name.startswith(f"{task}/tomobundles/")]
            codes.append({name.removeprefix(f"{task}/"): archive.read(name) for name in code})
    assert all(code == codes[0] for code in codes)
    assert "tomobundles/networks/grid_unet.py" in codes[0]
    for name in codes[0].keys() - {"tomobundles/CODE_SHA256", "tomobundles/__init__.py"}:
        assert codes[0][name] == (ROOT / name.removeprefix("tomobundles/")).read_bytes()


def test_same_input_same_bytes(packed, bundles_dir, tmp_path, monkeypatch):
    """Another folder, date, time zone, umask and working directory."""
    for path in bundles_dir.rglob("*"):
        os.utime(path, (10**9, 10**9))
    monkeypatch.chdir(bundles_dir)
    monkeypatch.setenv("TZ", "Pacific/Kiritimati")
    time.tzset()
    mask = os.umask(0o077)
    try:
        again = package_bundle("oct_edema", output_dir=Path("../out"), bundles_dir=Path("."))
    finally:
        os.umask(mask)
        monkeypatch.undo()
        time.tzset()
    written = bundles_dir.parent / "out" / again.name
    assert written.read_bytes() == packed["oct_edema"].read_bytes()


def test_the_verb(collection, tmp_path, capsys):
    parser = argparse.ArgumentParser()
    package.add_arguments(parser)
    arguments = ["ich", "--output_dir", str(tmp_path), "--name", "head_ct_classification"]
    package.run(parser.parse_args([*arguments, "--bundles_dir", str(collection)]))
    path = tmp_path / "head_ct_classification_v0.1.0.zip"
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert capsys.readouterr().out.splitlines() == [
        f"wrote {path}",
        f"size: {path.stat().st_size} bytes",
        f"SHA-256: {digest}",
    ]
    with zipfile.ZipFile(path) as archive:
        assert {name.partition("/")[0] for name in archive.namelist()} == {"head_ct_classification"}
    assert list(tmp_path.iterdir()) == [path]


def test_bundles_are_folders_with_metadata(collection, bundles_dir):
    (bundles_dir / "notes").mkdir()
    assert list(find_bundles(bundles_dir)) == sorted(path.name for path in collection.iterdir())
    assert package.Path("bundles") == package_bundle.__kwdefaults__["bundles_dir"]


@pytest.mark.parametrize(
    ("task", "more", "match"),
    [
        ("none", {}, "no bundle named none\nChoose one of: ich, kidney_vasculature, lung_nodule, oct_edema"),
        ("ich", {"name": "../x"}, "cannot be a bundle's name: '../x'"),
        ("ich", {"name": ""}, "cannot be a bundle's name: ''"),
        ("ich", {"name": "x."}, "cannot be a bundle's name: 'x.'"),  # Windows drops the dot
    ],
)
def test_bad_arguments(collection, tmp_path, task, more, match):
    with pytest.raises(InputError, match=match):
        package_bundle(task, output_dir=tmp_path / "out", bundles_dir=collection, **more)
    assert not (tmp_path / "out").exists()


def test_a_folder_without_bundles(tmp_path):
    with pytest.raises(InputError, match="Choose one of: none there"):
        package_bundle("ich", output_dir=tmp_path / "out", bundles_dir=tmp_path)


def _no_model(bundle):
    (bundle / "models" / "model.pt").unlink()


def _no_licence(bundle):
    (bundle / "LICENSE").unlink()


def _no_changelog(bundle):
    path = bundle / "configs" / "metadata.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"version": "9.9.9"}))


def _absolute(bundle):
    (bundle / "configs" / "over.json").write_text('{"dataset_dir": "/data"}')


def _unknown_target(bundle):
    (bundle / "configs" / "over.json").write_text('{"a": {"_target_": "tomobundles.data.Nothing"}}')


def _link(bundle):
    (bundle / "docs" / "link.md").symlink_to(bundle / "docs" / "README.md")


@pytest.mark.parametrize(
    ("damage", "match"),
    [
        (_no_model, r"no trained model found\nTrain one .*oct_edema/configs/train.json.*--model_dir"),
        (_no_licence, r"LICENSE\nno such file"),
        (_no_changelog, r"version 9.9.9 is missing in the changelog"),
        (_absolute, r"over.json\ndataset_dir has an absolute path: /data"),
        (_unknown_target, r"a names tomobundles.data.Nothing, which does not exist"),
        (_link, r"link.md\nis a symbolic link"),
    ],
)
def test_what_cannot_be_packed_leaves_no_zip(bundles_dir, tmp_path, damage, match):
    damage(bundles_dir / "oct_edema")
    with pytest.raises(InputError, match=match):
        package_bundle("oct_edema", output_dir=tmp_path / "out", bundles_dir=bundles_dir)
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def unpacked(collection, trained, tmp_path_factory):
    """oct_edema's zip with a tiny trained model, unpacked; runs leave bytecode there."""
    folder = tmp_path_factory.mktemp("unpacked")
    options = {"output_dir": folder, "bundles_dir": collection, "model_dir": trained / "models"}
    with zipfile.ZipFile(package_bundle("oct_edema", **options)) as archive:
        archive.extractall(folder)
    return folder / "oct_edema"


def _alone(arguments, cwd):
    """Python with its libraries and without the repository."""
    env = os.environ | {"PYTHONPATH": LIBRARIES, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-S", *map(str, arguments)]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, check=False)


def test_a_zip_runs_without_the_repository(unpacked, contest_dir, tmp_path):
    assert read_manifest(unpacked) == file_sums(unpacked)
    elsewhere = _alone(["-c", "import tomobundles"], tmp_path)
    assert "No module named 'tomobundles'" in elsewhere.stderr
    here = _alone(["-c", "import tomobundles; print(tomobundles.__file__)"], unpacked)
    assert Path(here.stdout.strip()).resolve() == (unpacked / "tomobundles" / "__init__.py").resolve()
    command = ["-m", "monai.bundle", "run", "--config_file", "configs/inference.json"]
    options = ["--dataset_dir", contest_dir, "--output_dir", tmp_path, "--outputs", "['mask','csv']"]
    done = _alone([*command, *options], unpacked)
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.rglob("*.csv"))
    assert len(list(tmp_path.rglob("*.nii.gz")) + list(tmp_path.rglob("*.bmp"))) > 0
