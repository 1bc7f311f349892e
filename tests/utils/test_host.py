# SPDX-License-Identifier: Apache-2.0
"""One call runs a bundle on a scan, from any working directory."""

import json

import nibabel as nib
import numpy as np
import pytest

from tests.helpers import write_small_bundle
from tomobundles.utils import InputError, run_bundle


@pytest.fixture
def scan(tmp_path):
    path = tmp_path / "eye.nii.gz"
    values = np.random.default_rng(3).integers(0, 255, (32, 24, 4)).astype(np.uint8)
    nib.save(nib.Nifti1Image(values, np.diag([0.01, 0.004, 0.05, 1])), path)
    return path


@pytest.fixture
def bundle(trained, tmp_path):
    return write_small_bundle(tmp_path, "oct_edema", trained / "models")


def test_results_lie_where_they_are_wanted(bundle, scan, tmp_path, monkeypatch):
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert run_bundle(bundle, scan, tmp_path / "out", outputs=["mask", "csv"]) == tmp_path / "out"
    mask = nib.load(tmp_path / "out" / "eye" / "eye_labelMark.nii.gz")
    assert mask.shape == (32, 24, 4)
    assert (tmp_path / "out" / "findings.csv").read_text().startswith("volume,")
    assert not any((tmp_path / "elsewhere").iterdir())


def test_a_bundle_that_brings_its_code_is_importable(bundle, scan, tmp_path, monkeypatch):
    import sys

    monkeypatch.setattr(sys, "path", list(sys.path))
    (bundle / "tomobundles").mkdir()  # the code that runs is this process's own all the same
    run_bundle(bundle, scan, tmp_path / "out", outputs=["csv"])
    assert sys.path[-1] == str(bundle)


def test_a_refusal_is_one_error_and_not_ten(bundle, tmp_path):
    with pytest.raises(InputError, match="no such file or folder") as caught:
        run_bundle(bundle, tmp_path / "nothing.nii.gz", tmp_path / "out")
    assert caught.value.__cause__ is None


def test_a_folder_that_is_no_bundle(tmp_path):
    with pytest.raises(InputError, match="no such config"):
        run_bundle(tmp_path, tmp_path, tmp_path / "out")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"output": ["mask"]}, "no id 'output'\ndid you mean outputs"),
        ({"handlers#0#no_such": 1}, "no id 'no_such'"),
        ({"seed": None}, r"--seed None: MONAI drops it"),
    ],
)
def test_what_monai_would_pass_over_is_refused(bundle, scan, tmp_path, given, message):
    with pytest.raises(InputError, match=message):
        run_bundle(bundle, scan, tmp_path / "out", **given)
    assert not (tmp_path / "out").exists()


def test_other_errors_come_through(bundle, scan, tmp_path):
    config = json.loads((bundle / "configs" / "inference.json").read_text())
    config["inferer"]["_target_"] = "tomobundles.inferers.NoSuchInferer"
    (bundle / "configs" / "inference.json").write_text(json.dumps(config))
    with pytest.raises((ModuleNotFoundError, RuntimeError)):
        run_bundle(bundle, scan, tmp_path / "out")
