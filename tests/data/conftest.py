# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from PIL import Image


def write_slices(folder, volume, *, suffix=".bmp", first=1):
    """Write (D, H, W) as <first>.bmp, ..."""
    folder.mkdir(parents=True, exist_ok=True)
    for index, pixels in enumerate(volume):
        Image.fromarray(pixels).save(folder / f"{first + index}{suffix}")
    return folder


@pytest.fixture
def contest(tmp_path):
    """A tiny data set in the contest's layout: patients P1 (two volumes) and P2 train, P3 validates."""
    rng = np.random.default_rng(0)
    for section, names in {
        "Edema_trainingset": ("P1_a", "P1_b", "P2_a"),
        "Edema_validationset": ("P3_a",),
    }.items():
        for name in names:
            images = rng.integers(0, 256, (3, 6, 5), dtype=np.uint8)
            labels = np.zeros((3, 6, 5), np.uint8)
            labels[1, :2] = 255
            write_slices(tmp_path / section / "original_images" / f"{name}.img", images)
            write_slices(tmp_path / section / "label_images" / f"{name}_labelMark", labels)
    return tmp_path
