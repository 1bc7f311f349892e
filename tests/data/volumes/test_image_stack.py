# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from PIL import Image

from tomobundles.data.volumes import open_volume
from tomobundles.utils import InputError

_RNG = np.random.default_rng(0)
_VOLUME = _RNG.integers(0, 256, (4, 12, 9), dtype=np.uint8)


def _write(folder, volume, suffix=".png"):
    folder.mkdir(exist_ok=True)
    for index, pixels in enumerate(volume):
        Image.fromarray(pixels).save(folder / f"{index}{suffix}")
    return folder


@pytest.mark.parametrize("suffix", [".png", ".bmp"])
def test_eight_bits(tmp_path, suffix):
    volume = open_volume(_write(tmp_path, _VOLUME, suffix), spacing_um=[5, 2, 1])
    assert (volume.shape, volume.dtype, volume.spacing_um) == ((4, 12, 9), np.uint8, (5, 2, 1))
    assert volume.meta["form"] == "images"
    assert volume.meta["slice_files"] == [f"{index}{suffix}" for index in range(4)]
    np.testing.assert_array_equal(volume.read_all(), _VOLUME)
    np.testing.assert_array_equal(open_volume(tmp_path, slices=(1, 2)).read_all(), _VOLUME[1:3])


def test_sixteen_bits_jpeg_and_one_file(tmp_path):
    deep = _VOLUME.astype(np.uint16) * 257
    np.testing.assert_array_equal(open_volume(_write(tmp_path / "deep", deep)).read_all(), deep)
    jpeg = open_volume(_write(tmp_path / "jpeg", np.full((2, 8, 8), 77, np.uint8), ".jpg"))
    assert jpeg.read_all().tolist() == np.full((2, 8, 8), 77).tolist()
    one = open_volume(tmp_path / "deep" / "2.png", slices=(0, 0))
    np.testing.assert_array_equal(one.read_all(), deep[2:3])


def test_a_slice_of_another_size_is_found_when_opened(tmp_path):
    _write(tmp_path, _VOLUME)
    Image.fromarray(_VOLUME[0, 1:]).save(tmp_path / "2.png")
    with pytest.raises(InputError, match=r"(?s)2\.png.*11 x 9 pixels, but 0\.png has 12 x 9"):
        open_volume(tmp_path)


def test_mixed_depths_and_changes_are_found_when_decoded(tmp_path):
    volume = open_volume(_write(tmp_path, _VOLUME))
    Image.fromarray(_VOLUME[0].astype(np.uint16)).save(tmp_path / "2.png")
    with pytest.raises(InputError, match=r"(?s)2\.png.*uint16, but 0\.png is uint8: mixed bit depths"):
        volume.read_all()
    Image.fromarray(_VOLUME[0, :, 1:]).save(tmp_path / "2.png")
    with pytest.raises(InputError, match=r"(?s)2\.png.*12 x 8 pixels"):
        volume.read_all()


def test_colour_and_damage(tmp_path):
    colour = np.zeros((12, 9, 3), np.uint8)
    colour[:6] = (255, 0, 0)
    Image.fromarray(colour).save(tmp_path / "0.png")
    with pytest.raises(InputError, match=r"(?s)0\.png.*colour"):
        open_volume(tmp_path)
    _write(tmp_path, _VOLUME)
    (tmp_path / "3.png").write_bytes(b"no image")
    with pytest.raises(InputError, match=r"(?s)3\.png.*cannot be read as an image"):
        open_volume(tmp_path)
    whole = (tmp_path / "2.png").read_bytes()
    (tmp_path / "3.png").write_bytes(whole[: len(whole) // 2])
    volume = open_volume(tmp_path)
    with pytest.raises(InputError, match=r"(?s)3\.png.*cannot be read as an image"):
        volume.read_all()


def test_very_large_slices(tmp_path, monkeypatch, recwarn):
    _write(tmp_path, _VOLUME)  # 108 pixels each
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 60)
    np.testing.assert_array_equal(open_volume(tmp_path).read_all(), _VOLUME)
    for _ in range(20):  # slices are read side by side
        open_volume(tmp_path).read_all()
    assert not [one for one in recwarn.list if issubclass(one.category, Image.DecompressionBombWarning)]
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 50)
    with pytest.raises(InputError, match=r"(?s)0\.png.*too large for this format"):
        open_volume(tmp_path)


def test_real_slices(real_data):
    folder = real_data / "kidney" / "hipct_slices" / "train"
    image = open_volume(folder / "kidney_1_dense_0427_image.png")
    label = open_volume(folder / "kidney_1_dense_0427_label.png")
    assert image.shape == label.shape == (1, 1303, 912)
    assert int((label.read_all() > 0).sum()) == 6174  # of the data's index
