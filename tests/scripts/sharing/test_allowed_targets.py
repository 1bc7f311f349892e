# SPDX-License-Identifier: Apache-2.0
"""Targets of configs: workflow classes pass, anything else that Python could find is refused."""

import pytest

from tests.helpers import ROOT
from tomobundles.scripts.sharing.allowed_targets import why_not_target

ALLOWED = """
Compose
RandFlipd
SupervisedTrainer
monai.transforms.RandFlipD
monai.networks.nets.unet.UNet
from_engine
monai.handlers.from_engine
torch.optim.Adam
torch.optim.lr_scheduler.StepLR
torch.nn.BCEWithLogitsLoss
torch.nn.parallel.DistributedDataParallel
torch.utils.data.DistributedSampler
ignite.handlers.EMAHandler
tomobundles.networks.GridUNet
tomobundles.networks.grid_unet.GridUNet
tomobundles.data.dicom.SeriesPreference
tomobundles.utils.start_run
"""
REFUSED = {
    "os.system": "allow-list",
    "subprocess.Popen": "allow-list",
    "builtins.eval": "allow-list",
    "eval": "no class of MONAI",
    "NoSuchClass": "no class of MONAI",
    "$os.system": "no plain name|not a plain name",
    "@network": "not a plain name",
    "%network": "not a plain name",
    "": "not a plain name",
    3: "not a plain name",
    "Lambda": "calls code",
    "Lambdad": "calls code",
    "monai.transforms.RandLambdaDict": "calls code",
    "monai.transforms.utility.array.Lambda": "calls code",
    "TorchVisionFCModel": "calls code",
    "ConfigParser": "packages for workflows",
    "ConfigWorkflow": "packages for workflows",
    "download_url": "packages for workflows",
    "monai.bundle.ConfigParser": "allow-list",
    "monai.apps.download_url": "allow-list",
    "monai.apps.MedNISTDataset": "allow-list",
    "monai.data.utils.pickle.loads": "no class of MONAI",
    "monai.data.dataset.torch": "packages for workflows",
    "monai.transforms.io.array.locate": "packages for workflows",
    "list_data_collate_of_nothing": "no class of MONAI",
    "monai.data.utils.set_rnd": "is no class",
    "monai.transforms.nothing.Here": "no class of MONAI",
    "torch.load": "allow-list",
    "torch.hub.load": "allow-list",
    "torch.nn.Module": "allow-list",
    "torch.nn.functional.relu": "allow-list",
    "torch.nn.factory_kwargs": "no class of torch.nn",
    "torch.optim.NoSuch": "no class of torch.optim",
    "tomobundles": "a tool",
    "tomobundles.scripts.cli.main": "a tool",
    "tomobundles.networks._private": "private",
    "tomobundles.networks.NoSuch": "not defined",
    "tomobundles.networks.grid_unet.torch": "not defined",
    "tomobundles.networks.grid_unet.nn.Module": "not defined",
    "tomobundles.utils.files.os.system": "not defined",
    "tomobundles.nothing.At.All": "not defined",
    "tomobundles.networks.GridUNet.forward": "not defined",
}


@pytest.mark.parametrize("target", ALLOWED.split())
def test_parts_of_workflows_pass(target):
    assert why_not_target(target, code=ROOT) is None


@pytest.mark.parametrize(("target", "reason"), REFUSED.items(), ids=str)
def test_others_are_refused(target, reason):
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(why_not_target(target, code=ROOT))


@pytest.fixture
def code(tmp_path):
    """A package whose names lead to each other in every way."""
    files = {
        "__init__.py": "",
        "room/__init__.py": "from .inner import Kept as Renamed\nfrom ..other import far\n"
        "from tomobundles.other import far as absolute\nfrom os import system\nfrom .circle import turn\n"
        "from ....above import lost\n",
        "room/inner.py": "from os import path\nclass Kept: ...\n",
        "room/circle.py": "from . import turn\n",
        "other.py": "def far(): ...\nvalue = 3\n",
        "broken.py": "def (",
    }
    for name, text in files.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    "name", ["room.Renamed", "room.far", "room.absolute", "room.inner.Kept", "other.far"]
)
def test_own_names_are_followed_to_their_definition(code, name):
    assert why_not_target(f"tomobundles.{name}", code=code) is None


@pytest.mark.parametrize(
    "name",
    [
        "room.system",
        "room.Kept",
        "room.turn",
        "room.lost",
        "room.inner.path",
        "other.value",
        "broken.x",
        "room",
    ],
)
def test_own_names_that_lead_elsewhere_are_refused(code, name):
    assert "not defined" in why_not_target(f"tomobundles.{name}", code=code)
