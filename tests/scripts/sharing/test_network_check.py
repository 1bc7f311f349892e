# SPDX-License-Identifier: Apache-2.0
"""Checks that run a bundle's code, here in this process: each finds the one fault of a copy."""

import io
import json
import sys

import pytest
import torch

from tomobundles.scripts.sharing import network_check

from .tiny_bundle import broken, build, edit_json

TRAIN, INFERENCE, META = "configs/train.json", "configs/inference.json", "configs/metadata.json"
ALL = [
    "properties of train.json",
    "properties of inference.json",
    "overlays",
    "weights",
    "network input and output",
]


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """A sound bundle; read only."""
    return build(tmp_path_factory.mktemp("packed"))


def _run(root, monkeypatch, check):
    """The problem that one check finds."""
    monkeypatch.chdir(root)
    return network_check._outcome(network_check.CHECKS[check])


def _run_all(root, monkeypatch):
    """Problems by check, as the child process prints them."""
    monkeypatch.chdir(root)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "pycache_prefix", None)
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    network_check.main()
    monkeypatch.undo()
    return dict(json.loads(out.getvalue()))


def test_a_sound_bundle_passes(packed, monkeypatch):
    assert _run_all(packed, monkeypatch) == dict.fromkeys(ALL)


def _edit(file, **values):
    return lambda root: edit_json(root / file, lambda config: config.update(values))


def _drop(file, *keys):
    def change(config):
        for key in keys[:-1]:
            config = config[key]
        del config[keys[-1]]

    return lambda root: edit_json(root / file, change)


def _pred(**values):
    def change(metadata):
        metadata["network_data_format"]["outputs"]["pred"].update(values)

    return lambda root: edit_json(root / META, change)


def _save(content):
    return lambda root: torch.save(content, root / "models" / "model.pt")


def _other_handlers(root):
    """Handlers that exist, under an id where no host looks for them."""

    def change(config):
        config["other_handlers"] = config["train"]["handlers"]
        config["train"]["trainer"]["train_handlers"] = "@other_handlers"

    edit_json(root / TRAIN, change)


MUTANTS = {
    "no device to train": (_drop(TRAIN, "device"), ALL[0], "device"),
    "no trainer": (_drop(TRAIN, "train", "trainer"), ALL[0], "trainer"),
    "wrong id": (_other_handlers, ALL[0], "train.json lacks or misnames"),
    "no run": (_drop(TRAIN, "run"), ALL[0], "no id 'run'"),
    "no data set to infer": (_drop(INFERENCE, "dataset_dir"), ALL[1], "dataset_dir"),
    "dangling reference": (_edit(INFERENCE, inferer="@nothing"), ALL[1], "nothing"),
    "overlay on nothing": (_edit("configs/three_axes.json", **{"no#such#id": 1}), ALL[2], "three_axes.json"),
    "weights of another width": (_edit(INFERENCE, width=6), ALL[3], "size mismatch"),
    "weights with objects": (_save({"a": print}), ALL[3], "Unpickl|weights_only|Unsupported"),
    "weights that are none": (_save([1.0]), ALL[3], "no state dict"),
    "no network": (_edit(INFERENCE, network_def={"_target_": "tomobundles.networks.No"}), ALL[4], "No"),
    "other channels": (_pred(num_channels=2), ALL[4], "channel number"),
    "other type": (_pred(dtype="float64"), ALL[4], "dtype"),
    "other size": (_pred(spatial_shape=["8*n", "16*n"]), ALL[4], r"size \[64, 64\]"),
    "other dimensions": (_pred(spatial_shape=["16*n"]), ALL[4], r"size \[64, 64\]"),
}


@pytest.mark.parametrize(("change", "check", "reason"), MUTANTS.values(), ids=MUTANTS)
def test_each_fault_is_found(change, check, reason, packed, tmp_path, monkeypatch):
    found = _run(broken(packed, tmp_path, change, sign=False), monkeypatch, check)
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(found)


def test_a_star_stands_for_any_size(packed, tmp_path, monkeypatch):
    assert _run(broken(packed, tmp_path, _pred(spatial_shape=["*", 64])), monkeypatch, ALL[4]) is None


def test_an_error_without_words_is_named_by_its_kind(packed, tmp_path, monkeypatch):
    def silent(*_, **__):
        raise ArithmeticError

    monkeypatch.setattr(torch, "load", silent)
    monkeypatch.chdir(packed)
    assert network_check._outcome(network_check.check_weights) == "ArithmeticError"
