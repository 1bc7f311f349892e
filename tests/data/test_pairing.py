# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import numpy as np
import pytest

from tomobundles.data.pairing import pair_by_name, volume_name
from tomobundles.utils import InputError


@pytest.fixture
def folders(tmp_path):
    for folder in ("images", "labels"):
        (tmp_path / folder).mkdir()
    for name in ("A_1", "A_2", "B_1"):
        np.save(tmp_path / "images" / f"{name}.npy", np.zeros((2, 2, 2)))
        np.save(tmp_path / "labels" / f"{name}_seg.npy", np.zeros((2, 2, 2)))
    return {"images": tmp_path / "images", "labels": tmp_path / "labels"}


def test_names_pair_volumes_with_labels(folders):
    items = pair_by_name(**folders, label_suffix="_seg")
    assert [Path(item["image"]).name for item in items] == ["A_1.npy", "A_2.npy", "B_1.npy"]
    assert [Path(item["label"]).name for item in items] == ["A_1_seg.npy", "A_2_seg.npy", "B_1_seg.npy"]
    assert [item["patient"] for item in items] == ["A", "A", "B"]


def test_one_folder_for_both_and_a_patient_group(folders):
    for file in folders["labels"].iterdir():
        file.rename(folders["images"] / file.name)
    items = pair_by_name(
        images=folders["images"], labels=folders["images"], label_suffix="_seg", patient=r"_(\d)"
    )
    assert [item["patient"] for item in items] == ["1", "2", "1"]


def test_names_without_endings():
    assert volume_name(Path("a.nii.gz")) == volume_name(Path("a.img")) == volume_name(Path("a")) == "a"


def test_what_does_not_pair(folders):
    with pytest.raises(InputError, match="volume without a label"):
        pair_by_name(**folders)
    (folders["images"] / "A_1.npy").unlink()
    with pytest.raises(InputError, match=r"(?s)A_1_seg\.npy.*label without a volume"):
        pair_by_name(**folders, label_suffix="_seg")
    with pytest.raises(InputError, match="no such folder"):
        pair_by_name(images=folders["images"] / "absent", labels=folders["labels"])
    (folders["images"] / "none").mkdir()
    with pytest.raises(InputError, match="no volume found"):
        pair_by_name(images=folders["images"] / "none", labels=folders["labels"], label_suffix="_seg")


def test_bad_patterns_and_double_names(folders):
    with pytest.raises(InputError, match="not a regular expression"):
        pair_by_name(**folders, label_suffix="_seg", patient="(")
    with pytest.raises(InputError, match="no patient found"):
        pair_by_name(**folders, label_suffix="_seg", patient=r"^X")
    (folders["images"] / "A_1.nii").write_bytes(b"")
    with pytest.raises(InputError, match="has the same name"):
        pair_by_name(**folders, label_suffix="_seg")
