# SPDX-License-Identifier: Apache-2.0
import nibabel as nib
import numpy as np
import pytest

from tomobundles.data import collate_volumes, epoch_items, trained_model_dir
from tomobundles.data.epochs import volume_depth
from tomobundles.data.load import LoadVolumed
from tomobundles.utils import InputError

from .conftest import write_slices


def test_depth_of_every_form(tmp_path):
    volume = np.zeros((5, 3, 4), np.uint8)  # five slices
    folder = write_slices(tmp_path / "scan", volume)
    np.save(tmp_path / "v.npy", volume)
    np.save(tmp_path / "flat.npy", volume[0])
    nib.save(nib.Nifti1Image(volume.T, np.eye(4)), tmp_path / "v.nii.gz")
    depths = {path: volume_depth(path) for path in (folder, tmp_path / "v.npy", tmp_path / "v.nii.gz")}
    assert set(depths.values()) == {5}
    assert volume_depth(tmp_path / "v.npy", axes="XYZ") == 4
    assert volume_depth(folder / "1.bmp") == volume_depth(tmp_path / "flat.npy") == 1
    (tmp_path / "bad.npy").write_bytes(b"no")
    with pytest.raises(InputError, match="cannot be read"):
        volume_depth(tmp_path / "bad.npy")


def test_an_epoch_draws_one_stack_a_slice(tmp_path):
    items = [
        {"image": str(write_slices(tmp_path / str(depth), np.zeros((depth, 2, 2), np.uint8)))}
        for depth in (5, 8)
    ]
    # 5 slices in visits of 4 take two visits, 8 slices two
    assert epoch_items(items, stacks_per_volume=4) == [items[0]] * 2 + [items[1]] * 2
    with pytest.raises(InputError, match="stacks_per_volume is 0"):
        epoch_items(items, stacks_per_volume=0)


def test_a_batch_of_one_volume_is_a_view(tmp_path):
    folder = write_slices(tmp_path / "scan", np.arange(24, dtype=np.uint8).reshape(2, 3, 4))
    sample = LoadVolumed("image")({"image": str(folder), "patient": "P1"})
    batch = collate_volumes([sample])
    assert batch["image"].shape == (1, 1, 3, 4, 2)
    assert batch["image"].data_ptr() == sample["image"].data_ptr()
    assert batch["image"].meta["filename_or_obj"] == [str(folder)]
    assert batch["patient"] == ["P1"]
    assert collate_volumes([sample, sample])["image"].shape == (2, 1, 3, 4, 2)


def test_first_folder_with_a_model(tmp_path):
    for name in ("mine", "shipped"):
        (tmp_path / name).mkdir()
    (tmp_path / "shipped" / "model.pt").touch()
    folders = [tmp_path / "mine", tmp_path / "shipped"]
    assert trained_model_dir(candidates=folders) == str(tmp_path / "shipped")
    (tmp_path / "mine" / "model.pt").touch()
    assert trained_model_dir(candidates=folders) == str(tmp_path / "mine")
    with pytest.raises(InputError, match="no trained model"):
        trained_model_dir(candidates=[tmp_path])
