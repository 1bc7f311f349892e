# SPDX-License-Identifier: Apache-2.0
import json

import numpy as np
import pytest

from tomobundles.data.volumes import ArrayVolume, RawVolume
from tomobundles.data.volumes import load as module
from tomobundles.data.volumes.load import OpenVolumed
from tomobundles.utils import InputError

SHAPE = (6, 8, 10)
RNG = np.random.default_rng(0)


def _image(shape=SHAPE, **options):
    return ArrayVolume(RNG.integers(1000, 9000, shape, dtype=np.uint16), **options)


def _label(shape=SHAPE, one=255, **options):
    array = np.zeros(shape, np.uint8)
    array[1:3, 2:6, 2:6] = one
    return ArrayVolume(array, **options)


class Slow(ArrayVolume):
    """Decoded slice by slice, as a folder of TIFFs is."""

    random_access = False


@pytest.fixture
def copies(monkeypatch):
    """Stand-in for ``stage`` that counts its calls and keeps no bars."""
    made = []

    def stage(volume, folder, *, progress=True):
        made.append(volume)
        copy = RawVolume.create(
            f"{folder}/copy{len(made)}.npy",
            shape=volume.shape,
            dtype=volume.dtype,
            spacing_um=volume.spacing_um,
            meta=volume.meta,
        )
        copy.write(tuple(slice(0, size) for size in volume.shape), volume.read_all())
        return copy

    monkeypatch.setattr(module, "stage", stage)
    return made


def test_paths_become_volumes(tmp_path):
    image, label = _image(), _label()
    np.save(tmp_path / "image.npy", image.array)
    np.save(tmp_path / "label.npy", label.array)
    item = {
        "image": tmp_path / "image.npy",
        "label": tmp_path / "label.npy",
        "spacing_um": 50,
        "patient": "a",
    }
    found = OpenVolumed()(item)
    low, high = (np.percentile(image.array, share, method="inverted_cdf") for share in (10, 99.8))
    assert (found["intensity"]["low"], found["intensity"]["high"]) == (low, high)
    assert found["image"].meta["intensity"] == found["intensity"]
    expected = (image.array.astype(np.float32) - low) / (high - low)
    inside = (expected >= 0) & (expected <= 1)
    assert np.allclose(found["image"].read_all()[inside], expected[inside], atol=1e-6)
    assert found["image"].spacing_um == (50, 50, 50)
    assert np.array_equal(found["label"].read_all(), label.array // 255)
    assert np.array_equal(found["native"].read_all(), image.array)
    assert found["native_label"] is found["label"]
    assert found["annotated_fraction"] == 1.0
    assert found["patient"] == "a"
    assert item["image"] == tmp_path / "image.npy"


def test_what_the_sample_says_reaches_open_volume(monkeypatch):
    calls = []
    monkeypatch.setattr(module, "open_volume", lambda path, **options: calls.append(options) or _image())
    transform = OpenVolumed("image", spacing_um=20, axes="XYZ")
    transform({"image": "a"})
    transform({"image": "a", "spacing_um": [1, 2, 3], "slices": [4, 9], "annotated_fraction": 0.65})
    assert calls == [
        {"spacing_um": (20, 20, 20), "slices": None, "axes": "XYZ"},
        {"spacing_um": [1, 2, 3], "slices": [4, 9], "axes": "XYZ"},
    ]


def test_the_annotated_fraction_of_the_sample_stays():
    assert OpenVolumed("image")({"image": _image(), "annotated_fraction": 0.65})["annotated_fraction"] == 0.65


def test_a_target_spacing_resamples_image_and_label_alike():
    item = {"image": _image(spacing_um=50), "label": _label()}
    found = OpenVolumed(target_spacing=100)(item)
    assert found["image"].shape == found["label"].shape == (3, 4, 5)
    assert found["image"].spacing_um == found["label"].spacing_um == (100, 100, 100)
    assert found["native"].shape == SHAPE
    assert np.array_equal(found["native_label"].read_all(), item["label"].array // 255)
    assert found["label"].dtype == np.uint8
    # rows and columns 1, 2 lie in the square; slices 0, 1 hold half of slices 1, 2 each: (3/8 + 1/8) = 1/2,
    # times the shares 7/8 in plane, is below a half: nothing is labelled there
    assert not found["label"].read_all().any()
    thick = OpenVolumed(target_spacing=100, label_threshold=0.25)(item)["label"].read_all()
    assert np.argwhere(thick).tolist() == [[z, y, x] for z in (0, 1) for y in (1, 2) for x in (1, 2)]


def test_its_own_spacing_as_target_resamples_nothing():
    image = _image(spacing_um=50)
    assert OpenVolumed("image", target_spacing=50)({"image": image})["image"].source is image


def test_a_given_intensity_is_not_measured():
    found = OpenVolumed("image")({"image": _image(), "intensity": {"low": 0, "high": 20000}})
    assert (found["image"].low, found["image"].high) == (0, 20000)
    assert found["intensity"] == {"low": 0, "high": 20000}


def test_slow_volumes_are_copied_once_boxes_are_read(tmp_path, copies):
    item = {"image": Slow(_image().array), "label": Slow(_label().array)}
    assert OpenVolumed()(item)["native"] is item["image"]
    assert copies == []
    found = OpenVolumed(random_access=True, cache_dir=tmp_path)(item)
    assert len(copies) == 2
    assert found["image"].random_access
    assert found["label"].random_access
    assert np.array_equal(found["native"].read_all(), item["image"].array)


def test_grays_of_a_copy_are_kept_beside_it(tmp_path, copies, monkeypatch):
    item = {"image": Slow(_image().array)}
    transform = OpenVolumed("image", random_access=True, cache_dir=tmp_path)
    found = transform(item)["intensity"]
    kept = tmp_path / "copy1-grays-10-99.8.json"
    assert json.loads(kept.read_text()) == found
    kept.rename(tmp_path / "copy2-grays-10-99.8.json")  # the stand-in never finds its copies again
    monkeypatch.setattr(module, "measure_intensity", None)
    assert transform(item)["intensity"] == found


def test_missing_keys():
    with pytest.raises(KeyError):
        OpenVolumed()({"image": _image()})
    assert "label" not in OpenVolumed(allow_missing_keys=True)({"image": _image()})
    assert OpenVolumed(allow_missing_keys=True)({"patient": "a"}) == {"patient": "a"}


def test_refuses_wrong_label_values_at_once_or_when_read():
    item = {"image": _image(), "label": _label(one=128, meta={"path": "labels"})}
    with pytest.raises(InputError, match="labels\nlabel has the values 128"):
        OpenVolumed()(item)
    found = OpenVolumed(check_labels=False)(item)
    with pytest.raises(InputError, match="labels\nlabel has the values 128"):
        found["label"].read_all()


def test_refuses_a_label_of_another_shape():
    item = {"image": _image(), "label": _label((6, 8, 9), meta={"path": "labels"})}
    with pytest.raises(InputError, match=r"labels\nlabel is \(6, 8, 9\), its image \(6, 8, 10\)"):
        OpenVolumed()(item)


def test_refuses_a_label_of_another_voxel_size():
    item = {"image": _image(spacing_um=50), "label": _label(spacing_um=25)}
    with pytest.raises(InputError, match=r"label has voxels of \(25.0, 25.0, 25.0\) um"):
        OpenVolumed()(item)
    item["label"] = _label(spacing_um=50.1)  # rounded in a header
    assert OpenVolumed()(item)["label"].shape == SHAPE


@pytest.mark.parametrize(("axes", "least", "fits"), [("z", 6, True), ("z", 7, False), ("yx", 9, False)])
def test_refuses_volumes_thinner_than_the_stack(axes, least, fits):
    transform = OpenVolumed("image", min_slices=least, slicing_axes=axes)
    item = {"image": _image(meta={"path": "thin.tif"})}
    if fits:
        assert transform(item)["image"].shape == SHAPE
        return
    with pytest.raises(InputError, match=rf"thin.tif\n{6 if axes == 'z' else 8} slices along {axes[0]}"):
        transform(item)


def test_thickness_is_that_of_the_resampled_volume():
    item = {"image": _image(spacing_um=50)}
    with pytest.raises(InputError, match="3 slices along z, the stack has 5"):
        OpenVolumed("image", min_slices=5, target_spacing=100)(item)


def test_refuses_a_rescale_without_a_voxel_size():
    with pytest.raises(InputError, match=r"a\.tif\nno voxel size is known"):
        OpenVolumed("image", target_spacing=50)({"image": _image(meta={"path": "a.tif"})})


def test_refuses_a_constant_volume():
    flat = ArrayVolume(np.full(SHAPE, 3, np.uint16), meta={"path": "flat.tif"})
    with pytest.raises(InputError, match=r"flat\.tif\nevery voxel is 3"):
        OpenVolumed("image")({"image": flat})


@pytest.mark.parametrize("axes", [(), "zq", ("zy",)])
def test_refuses_unknown_axes(axes):
    with pytest.raises(InputError, match="slicing axes"):
        OpenVolumed(slicing_axes=axes)


def test_refuses_random_access_without_a_place():
    with pytest.raises(InputError, match="place for copies"):
        OpenVolumed(random_access=True)


def test_a_slice_of_the_contest(real_data):
    path = real_data / "kidney" / "format_sample_test_slice_0000.tif"
    found = OpenVolumed("image", target_spacing=63.08)({"image": path, "spacing_um": 50})
    stored = found["native"].read_all()
    assert (stored.shape, stored.dtype) == ((1, 1303, 912), np.uint16)
    expected = [np.percentile(stored, share, method="inverted_cdf") for share in (10, 99.8)]
    assert [found["intensity"]["low"], found["intensity"]["high"]] == expected
    assert found["image"].shape == (1, 1033, 723)  # 1303 * 50 / 63.08 = 1032.8, 722.9
    values = found["image"].read_all()
    assert np.mean((values >= 0) & (values <= 1)) > 0.85
    assert -0.05 < values.min() < values.max() < 1.05
