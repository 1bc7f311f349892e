# SPDX-License-Identifier: Apache-2.0
"""What kidney_vasculature says of bad input: one short message that names it."""

import errno
import re
import shutil

import numpy as np
import pytest
import tifffile

from tests.bundles.kidney_runs import INFERENCE, SHAPE, SMALL, TRAIN, check_message, fault, infer, stack_of
from tests.helpers import ROOT, bundle_run, workflow


@pytest.fixture(autouse=True)
def _from_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def _missing_slice(folder):
    (folder / "0003.tif").unlink()
    return folder.name, "0003|3"


def _slice_of_another_size(folder):
    tifffile.imwrite(folder / "0003.tif", np.zeros((5, 6), np.uint16))
    return "0003.tif", "5"


def _mixed_depths(folder):
    tifffile.imwrite(folder / "0003.tif", np.zeros(SHAPE[1:], np.uint8))
    return "0003.tif", "uint8"


def _colour(folder):
    tifffile.imwrite(folder / "0003.tif", np.zeros((*SHAPE[1:], 3), np.uint8), photometric="rgb")
    return "0003.tif", "colour|RGB"


def _truncated(folder):
    path = folder / "0003.tif"
    path.write_bytes(path.read_bytes()[:-100])
    return "0003.tif", "damaged|truncated|cannot be read|bytes"


def _constant(folder):
    for index in range(SHAPE[0]):
        tifffile.imwrite(folder / f"{index:04d}.tif", np.full(SHAPE[1:], 7, np.uint16))
    return folder.name, "every voxel is 7"


def _thin(folder):
    for index in range(2, SHAPE[0]):
        (folder / f"{index:04d}.tif").unlink()
    return folder.name, "2 slices"


FAULTS = [_missing_slice, _slice_of_another_size, _mixed_depths, _colour, _truncated, _constant, _thin]


@pytest.mark.parametrize("spoil", FAULTS, ids=lambda one: one.__name__.strip("_").replace("_", " "))
def test_a_faulty_volume_is_refused(spoil, trained_kidney, kidneys_dir, tmp_path):
    folder = shutil.copytree(kidneys_dir / "test" / "kidney_5" / "images", tmp_path / "spoilt")
    named, said = spoil(folder)
    with pytest.raises(Exception) as caught:  # noqa: PT011
        infer(folder, trained_kidney / "models", tmp_path / "out", outputs=["mask"])
    message = fault(caught.value)
    assert named in message.splitlines()[0]
    assert re.search(said, message)
    assert not (tmp_path / "out" / "vessels.csv").exists()


def test_nan_is_refused(trained_kidney, kidneys_dir, tmp_path):
    volume = stack_of(kidneys_dir / "test" / "kidney_5" / "images")[1].astype(np.float32)
    volume[3, 2, 1] = np.nan
    np.save(tmp_path / "bad.npy", volume)
    with pytest.raises(Exception) as caught:  # noqa: PT011
        infer(tmp_path / "bad.npy", trained_kidney / "models", tmp_path / "out")
    assert "bad.npy" in fault(caught.value)
    assert "NaN" in fault(caught.value)


def test_no_voxel_size_where_one_is_needed(trained_kidney, kidneys_dir, tmp_path):
    folder = shutil.copytree(kidneys_dir / "test" / "kidney_5" / "images", tmp_path / "unknown")
    with pytest.raises(Exception) as caught:  # noqa: PT011
        infer(folder, trained_kidney / "models", tmp_path / "out", target_spacing=50)
    assert "no voxel size" in fault(caught.value)
    assert "unknown" in fault(caught.value)
    infer(folder, trained_kidney / "models", tmp_path / "out", target_spacing=50, spacing_um=63)


@pytest.mark.parametrize(
    ("overrides", "said"),
    [
        ({"threshold": 0}, "threshold is 0"),
        ({"threshold": 1.5}, "threshold is 1.5"),
        ({"outputs": ["record"]}, "unknown output 'record'"),
        ({"rle_order": "K"}, "order"),
        ({"inference_axes": ["w"]}, "axes"),
    ],
)
def test_an_option_out_of_range_is_refused_before_the_work(
    overrides, said, trained_kidney, kidneys_dir, tmp_path
):
    with pytest.raises(Exception) as caught:  # noqa: PT011
        infer(kidneys_dir, trained_kidney / "models", tmp_path, **overrides)
    assert said in fault(caught.value)
    assert not list(tmp_path.rglob("probability_*.npy"))


def test_fewer_patches_than_a_batch_train_nothing(kidneys_dir, tmp_path):
    options = {"dataset_dir": str(kidneys_dir), "output_dir": str(tmp_path)}
    with pytest.raises(Exception) as caught:  # noqa: PT011
        workflow(TRAIN, **(SMALL | {"patches_per_epoch": 4}), **options).run()
    assert "do not fill a batch of 8" in fault(caught.value)


def test_a_full_disk_leaves_nothing_that_looks_whole(trained_kidney, kidneys_dir, tmp_path, monkeypatch):
    written = []

    def full(path, *args, **options):
        if len(written) == 3:
            raise OSError(errno.ENOSPC, "No space left on device")
        written.append(path)
        path.write_bytes(b"slice")

    monkeypatch.setattr(tifffile, "imwrite", full)
    with pytest.raises(Exception) as caught:  # noqa: PT011
        infer(kidneys_dir, trained_kidney / "models", tmp_path, outputs=["mask"])
    assert "no space left" in fault(caught.value)
    assert not (tmp_path / "kidney_5" / "kidney_5").exists()
    assert not (tmp_path / "vessels.csv").exists()
    assert not list(tmp_path.rglob(".partial*"))
    monkeypatch.undo()
    monkeypatch.chdir(ROOT)
    infer(kidneys_dir, trained_kidney / "models", tmp_path, outputs=["mask"])
    assert stack_of(tmp_path / "kidney_5" / "kidney_5")[1].shape == SHAPE


def _label_without_image(train):
    shutil.copy(train / "kidney_2/labels/0007.tif", train / "kidney_2/labels/0008.tif")
    return "0008.tif"


def _label_of_three_values(train):
    tifffile.imwrite(train / "kidney_2/labels/0003.tif", np.full(SHAPE[1:], 3, np.uint8))
    return "labels"


@pytest.mark.parametrize("spoil", [_label_without_image, _label_of_three_values])
def test_training_as_typed_ends_with_one_message(spoil, kidneys_dir, tmp_path):
    data = shutil.copytree(kidneys_dir, tmp_path / "data")
    named = spoil(data / "train")
    given = SMALL | {"dataset_dir": data, "output_dir": tmp_path / "out"}
    check_message(bundle_run("training", config_file=TRAIN, env={"TOMOBUNDLES_DEBUG": "0"}, **given), named)
    assert not (tmp_path / "out" / "models" / "model.pt").exists()


def test_inference_as_typed_ends_with_one_message(trained_kidney, kidneys_dir, tmp_path):
    folder = shutil.copytree(kidneys_dir / "test" / "kidney_5" / "images", tmp_path / "rgb")
    _colour(folder)
    given = {"dataset_dir": folder, "output_dir": tmp_path / "out", "ckpt_dir": trained_kidney / "models"}
    given |= {"width": 4}
    done = bundle_run("inference", config_file=INFERENCE, env={"TOMOBUNDLES_DEBUG": "0"}, **given)
    check_message(done, "0003.tif")
