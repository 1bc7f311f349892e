# SPDX-License-Identifier: Apache-2.0
"""A bundle's trained network through its own config."""

import hashlib
import json

import pytest
import torch

from tests.helpers import ROOT
from tomobundles.networks import AttentionUNet
from tomobundles.scripts.sharing.export_source import open_bundle
from tomobundles.utils import InputError

KIDNEY = ROOT / "bundles" / "kidney_vasculature"


@pytest.fixture
def models(tmp_path):
    """A folder with weights of width 2."""
    torch.manual_seed(3)
    torch.save(AttentionUNet(width=2).state_dict(), tmp_path / "model.pt")
    return tmp_path


def test_weights_digest_and_configs(models):
    export, folder = open_bundle(KIDNEY, model_dir=models, overrides={"width": 2})
    assert folder == models
    saved = torch.load(models / "model.pt", weights_only=True)
    assert torch.equal(export.network.state_dict()["Conv_1x1.weight"], saved["Conv_1x1.weight"])
    assert export.weights_digest == hashlib.sha256((models / "model.pt").read_bytes()).hexdigest()
    assert export.metadata["version"]
    assert json.loads(export.configs["inference.json"])["width"] == 64  # as in the file


def test_overlays_and_ids_in_a_component(models):
    torch.save(AttentionUNet(in_channels=1, width=2).state_dict(), models / "model.pt")
    overlay = models / "one.json"
    overlay.write_text('{"num_slices": 1}')
    given = {"network_def#width": 2}
    export, _ = open_bundle(KIDNEY, model_dir=models, overlays=[overlay], overrides=given)
    assert export.network.in_channels == 1
    assert json.loads(export.configs["one.json"]) == {"num_slices": 1}


@pytest.mark.parametrize("name", ["widht", "nothing#width"])
def test_ids_must_be_there(models, name):
    with pytest.raises(InputError, match="the config has no id"):
        open_bundle(KIDNEY, model_dir=models, overrides={name: 2})


def test_configs_must_be_there(models):
    with pytest.raises(InputError, match="no such config"):
        open_bundle(models)


def test_without_a_model_it_says_so(models):
    with pytest.raises(InputError, match="no such file of weights"):
        open_bundle(KIDNEY, model_dir=models / "empty", overrides={"width": 2})


def test_other_errors_stay(models):
    with pytest.raises(RuntimeError, match="no_such_argument"):
        open_bundle(KIDNEY, model_dir=models, overrides={"network_def#no_such_argument": 2})
