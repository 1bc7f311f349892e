# SPDX-License-Identifier: Apache-2.0
import json

import numpy as np
import pytest

from tomobundles.data import load_intensity, training_intensity
from tomobundles.utils import InputError


def _items(tmp_path, *volumes):
    for index, volume in enumerate(volumes):
        np.save(tmp_path / f"P{index}.npy", volume)
    return [{"image": str(tmp_path / f"P{index}.npy")} for index in range(len(volumes))]


def test_all_voxels_count_alike(tmp_path):
    # 8 voxels of 1 and 4 of 4: mean 2, variance (8 * 1 + 4 * 4) / 12 = 2
    items = _items(tmp_path, np.ones((2, 2, 2), np.uint8), np.full((1, 2, 2), 4, np.uint8))
    found = training_intensity(items, path=tmp_path / "models" / "intensity.json")
    assert found["mean"] == pytest.approx(2.0)
    assert found["std"] == pytest.approx(2.0**0.5)
    assert load_intensity(tmp_path / "models" / "intensity.json") == found


def test_stored_constants_are_kept_for_the_same_volumes_only(tmp_path):
    items = _items(tmp_path, np.arange(8, dtype=np.uint8).reshape(2, 2, 2), np.zeros((2, 2, 2), np.uint8))
    path = tmp_path / "intensity.json"
    stored = training_intensity(items, path=path)
    path.write_text(json.dumps(stored | {"mean": 99.0}))
    assert training_intensity(items, path=path)["mean"] == 99.0
    assert training_intensity(items[:1], path=path)["mean"] == pytest.approx(3.5)


def test_volume_names_do_not_travel_with_the_weights(tmp_path):
    np.save(tmp_path / "DOE_JANE.npy", np.arange(8).reshape(2, 2, 2))
    training_intensity([{"image": str(tmp_path / "DOE_JANE.npy")}], path=tmp_path / "intensity.json")
    assert "JANE" not in (tmp_path / "intensity.json").read_text()


@pytest.mark.parametrize("values", [np.zeros((2, 2, 2)), np.full((2, 2, 2), np.nan)])
def test_useless_training_sets(tmp_path, values):
    with pytest.raises(InputError, match="constant or NaN"):
        training_intensity(_items(tmp_path, values), path=tmp_path / "intensity.json")
    assert not (tmp_path / "intensity.json").exists()


def test_missing_or_foreign_file(tmp_path):
    with pytest.raises(InputError, match="no gray mean"):
        load_intensity(tmp_path / "absent.json")
    for text in ("{}", "[1]", "{"):
        (tmp_path / "bad.json").write_text(text)
        with pytest.raises(InputError, match="no gray mean"):
            load_intensity(tmp_path / "bad.json")
    (tmp_path / "bad.json").write_text('{"mean": 1, "std": 0}')
    with pytest.raises(InputError, match="not usable"):
        load_intensity(tmp_path / "bad.json")
