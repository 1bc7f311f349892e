# SPDX-License-Identifier: Apache-2.0
"""Only weights that are nothing but tensors leave, with the JSON files beside them."""

import shutil

import pytest
import torch

from tests.helpers import ROOT
from tomobundles.scripts.sharing.models import check_weights, default_model_dir, pack_model
from tomobundles.utils import InputError

WEIGHTS = {"a.weight": torch.zeros(2), "n": torch.tensor(3)}


@pytest.fixture
def bundle(tmp_path):
    folder = tmp_path / "bundles" / "oct_edema"
    shutil.copytree(ROOT / "bundles" / "oct_edema" / "configs", folder / "configs")
    return folder


@pytest.fixture
def model_dir(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    torch.save(WEIGHTS, folder / "model.pt")
    for name in ("intensity.json", "calibration.json", "last.pt", "model.ts", "notes.txt"):
        (folder / name).write_text(name)
    return folder


def test_the_weights_and_the_json_files(bundle, model_dir, tmp_path):
    pack_model(bundle, tmp_path / "out", model_dir=model_dir)
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert names == ["calibration.json", "intensity.json", "model.pt"]
    for name in names:
        assert (tmp_path / "out" / name).read_bytes() == (model_dir / name).read_bytes()


def test_where_a_model_is_looked_for(bundle, model_dir, tmp_path):
    with pytest.raises(InputError) as caught:
        pack_model(bundle, tmp_path / "out")
    path, problem, remedy = str(caught.value).splitlines()
    assert path == str(bundle / "output" / "unetpp" / "models" / "model.pt")
    assert problem == "no trained model found"
    train = f"{bundle.as_posix()}/configs/train.json"
    assert f"python -m monai.bundle run --config_file {train}" in remedy
    assert "--model_dir" in remedy
    for folder in (bundle / "models", bundle / "output" / "unetpp" / "models"):  # the second one wins
        shutil.copytree(model_dir, folder)
        assert default_model_dir(bundle) == folder
    pack_model(bundle, tmp_path / "out")
    assert (tmp_path / "out" / "model.pt").is_file()


def test_another_fault_of_the_config_is_no_missing_model(bundle):
    path = bundle / "configs" / "inference.json"
    path.write_text('{"bundle_root": ".", "ckpt_dir": "$1 / 0"}')
    with pytest.raises(Exception, match="Failed to evaluate") as caught:
        default_model_dir(bundle)
    assert not isinstance(caught.value, InputError)


def test_a_folder_without_a_model(bundle, tmp_path):
    with pytest.raises(InputError, match="no trained model found"):
        pack_model(bundle, tmp_path / "out", model_dir=tmp_path)


@pytest.mark.parametrize("name", ["model.pt", "intensity.json"])
def test_links_are_refused(bundle, model_dir, tmp_path, name):
    (model_dir / name).rename(tmp_path / name)
    (model_dir / name).symlink_to(tmp_path / name)
    with pytest.raises(InputError, match="symbolic link"):
        pack_model(bundle, tmp_path / "out", model_dir=model_dir)


@pytest.mark.parametrize(
    ("content", "match"),
    [
        ({"network": WEIGHTS}, "holds more than tensors: 'network' is a dict"),
        (WEIGHTS | {"epoch": 3}, "holds more than tensors: 'epoch' is a int"),
        ({1: torch.zeros(1)}, "holds more than tensors: 1 is a Tensor"),
        ([torch.zeros(1)], "holds no weights but one list"),
        ({}, "holds no weights but one dict"),
        (torch.nn.Linear(1, 1), "damaged, or with objects that could run code"),
        (None, "damaged, or with objects that could run code"),
    ],
)
def test_what_is_no_state_dict(tmp_path, content, match):
    path = tmp_path / "model.pt"
    if content is None:
        path.write_bytes(b"not a model")
    else:
        torch.save(content, path)
    with pytest.raises(InputError, match=match):
        check_weights(path)
