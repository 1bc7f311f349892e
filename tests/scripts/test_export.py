# SPDX-License-Identifier: Apache-2.0
"""``tomobundles export`` from arguments to files."""

import argparse

import pytest
import torch

from tests.helpers import ROOT
from tomobundles.networks import AttentionUNet
from tomobundles.scripts import export
from tomobundles.utils import InputError


def _run(*given):
    parser = argparse.ArgumentParser()
    export.add_arguments(parser)
    export.run(parser.parse_args([str(value) for value in given]))


@pytest.fixture
def models(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    torch.save(AttentionUNet(width=2).state_dict(), tmp_path / "model.pt")
    return tmp_path


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_writes_beside_the_weights(models, capsys):
    given = ["kidney_vasculature", "--model_dir", models, "--set", "width=2"]
    _run(*given, "--format", "torchscript")
    assert (models / "model.ts").is_file()
    shown = capsys.readouterr().out
    assert shown.startswith(f"{models / 'model.ts'}: ")
    assert "differs by" in shown


def test_what_cannot_be_set(models):
    with pytest.raises(InputError, match="--set width"):
        _run("kidney_vasculature", "--model_dir", models, "--set", "width")


def test_values_are_json_or_text():
    assert export._override("a#b=[1, 2]") == ("a#b", [1, 2])
    assert export._override("a=resnet18") == ("a", "resnet18")
    assert export._override("a=x=y") == ("a", "x=y")


def test_the_default_is_onnx():
    parser = argparse.ArgumentParser()
    export.add_arguments(parser)
    assert parser.parse_args(["ich"]).format == ["onnx"]
