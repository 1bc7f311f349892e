# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch

from tomobundles.transforms import CropAugmentation, crop_label
from tomobundles.transforms.nodule_augmentation import read_augmentation
from tomobundles.utils import InputError

from .lung_scans import ball

SHAPE = (64, 64, 64)
STRONG = {"mirror": 0.5, "rotate_deg": 180, "tilt_deg": 30, "quarter_turns": True, "elastic": 3.0}


def _random(seed=0):
    return np.random.RandomState(seed)


@pytest.mark.parametrize(
    "options",
    [
        {"mirror": 1.0, "rotate_deg": 0, "tilt_deg": 0, "scale": (1, 1), "elastic": 0},
        {"mirror": 0, "rotate_deg": 180, "tilt_deg": 20, "scale": (1, 1), "elastic": 0},
        {"mirror": 0, "rotate_deg": 0, "tilt_deg": 0, "scale": (0.75, 1.25), "elastic": 0},
        {"mirror": 0, "rotate_deg": 0, "tilt_deg": 0, "scale": (1, 1), "elastic": 3.0},
        STRONG,
    ],
    ids=["mirror", "rotation", "scale", "elastic", "together"],
)
def test_rows_follow_the_image(options):
    centre, diameter = np.array([40.3, 50.6, 45.2]), 14.0
    places = np.stack(np.indices((90, 100, 95)), axis=-1)
    volume = torch.from_numpy(ball(places, centre, diameter).round().astype(np.uint8))
    rows = torch.tensor([[*centre, diameter, 1.0]])
    voxels = torch.from_numpy(np.stack(np.indices(SHAPE), axis=-1)).double()
    random = _random()
    for _ in range(8):
        warp = CropAugmentation(**options).draw(random, SHAPE, diameter)
        warp.place(centre, random.uniform(18, 45, 3))
        light = warp.read(volume, fill=0).double()
        row = crop_label(warp, rows)[0]
        found = (light[..., None] * voxels).sum(dim=(0, 1, 2)) / light.sum()
        # a ball that is distorted is no ball: its centroid is off by the field's curvature over its radius
        assert torch.allclose(found, row[:3].double(), atol=0.35 if options["elastic"] else 0.05)
        size = (light.sum().item() / 200 * 6 / np.pi) ** (1 / 3)
        assert size == pytest.approx(row[3].item(), rel=0.03 if options["elastic"] else 0.02)


def test_scale_stays_in_range_and_keeps_diameters():
    random = _random()
    augmentation = CropAugmentation(mirror=0, rotate_deg=0, tilt_deg=0, elastic=0)

    def scales(diameter):
        return [augmentation.draw(random, SHAPE, diameter).zoom(np.zeros((1, 3)))[0] for _ in range(200)]

    free = scales(None)
    assert 0.75 <= min(free) < 0.77
    assert 1.23 < max(free) <= 1.25
    small = scales(3.2)
    assert 3.0 - 1e-6 <= min(small) * 3.2 < 3.1
    assert max(small) > 1.2
    large = scales(55.0)
    assert max(large) * 55 <= 60 + 1e-6
    assert min(large) < 0.8
    assert np.allclose(scales(2.0), 1.25)  # as near to 3 voxels as the range allows
    assert np.allclose(scales(90.0), 0.75)


def test_angles_and_mirrors_are_drawn_as_asked():
    random = _random()
    plain = {"scale": (1, 1), "elastic": 0}
    only_k = CropAugmentation(mirror=0, rotate_deg=20, tilt_deg=0, **plain)
    angles = []
    for _ in range(200):
        matrix = only_k.draw(random, SHAPE).matrix
        assert np.allclose(matrix[2], [0, 0, 1])
        angles.append(np.degrees(np.arctan2(matrix[1, 0], matrix[0, 0])))
    assert -20 <= min(angles) < -18
    assert 18 < max(angles) <= 20
    mirrors = CropAugmentation(mirror=(0, 0.5, 1), rotate_deg=0, tilt_deg=0, **plain)
    signs = np.array([np.diag(mirrors.draw(random, SHAPE).matrix) for _ in range(200)])
    assert (signs[:, 0] == 1).all()
    assert 70 < (signs[:, 1] < 0).sum() < 130
    assert (signs[:, 2] == -1).all()
    turns = CropAugmentation(mirror=0, rotate_deg=0, tilt_deg=0, quarter_turns=True, **plain)
    found = {tuple(np.rint(turns.draw(random, SHAPE).matrix).ravel()) for _ in range(100)}
    assert len(found) == 4


def test_elastic_strength():
    random = _random()
    drawn = [CropAugmentation(elastic=2.0).draw(random, SHAPE).controls for _ in range(50)]
    peaks = [np.abs(controls).max() for controls in drawn]
    assert 1.8 < max(peaks) <= 2
    assert min(peaks) < 0.4
    assert CropAugmentation(elastic=0).draw(random, SHAPE).controls is None


def test_options_of_a_config():
    assert read_augmentation(None, SHAPE) is None
    assert read_augmentation({}, SHAPE) == CropAugmentation()
    made = CropAugmentation(elastic=1.0)
    assert read_augmentation(made, SHAPE) is made
    assert read_augmentation({"elastic": 1.0}, SHAPE) == made
    with pytest.raises(InputError, match="augmentation elastik"):
        read_augmentation({"elastik": 1.0}, SHAPE)
    with pytest.raises(InputError, match=r"elastic 3\.0 voxels"):
        read_augmentation({"elastic": 3.0}, (16, 16, 16))


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"mirror": 1.5}, "mirror"),
        ({"mirror": -0.1}, "mirror"),
        ({"mirror": (0.5, 0.5)}, "mirror"),
        ({"rotate_deg": -1}, "rotate_deg"),
        ({"tilt_deg": -1}, "tilt_deg"),
        ({"elastic": -1}, "elastic"),
        ({"scale": (1.25, 0.75)}, "scale"),
        ({"scale": (0, 1)}, "scale"),
        ({"scale": (1,)}, "scale"),
        ({"diameters": (60, 3)}, "diameters"),
    ],
)
def test_refuses_bad_options(options, problem):
    with pytest.raises(InputError, match=problem):
        CropAugmentation(**options)
