# SPDX-License-Identifier: Apache-2.0
import copy
import pickle

import numpy as np
import pytest
import torch
from monai.data import CacheDataset, DataLoader
from monai.transforms import Compose

from tomobundles.transforms import IndexForegroundd, RandStackPatchesd, index_foreground
from tomobundles.transforms import rand_stack_patches as module
from tomobundles.transforms.rand_stack_patches import PatchDraw
from tomobundles.utils import InputError

from .volumes import Boxes

SHAPE = (12, 14, 16)
RNG = np.random.default_rng(0)
IMAGE = RNG.random(SHAPE).astype(np.float32)


def _label(*places):
    label = np.zeros(SHAPE, np.uint8)
    for place in places:
        label[place] = 1
    return label


def _item(label=None, **extra):
    label = _label((5, 6, 7)) if label is None else label
    return {"image": Boxes(IMAGE), "label": Boxes(label), "patient": "a", **extra}


def _fixed(draw, **options):
    transform = RandStackPatchesd(patch_size=(4, 6), **options)
    transform.randomize = lambda label, index: setattr(transform, "draws", [draw])
    return transform


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_stack_and_label_share_their_centre(axis):
    item = _item((IMAGE > 0.7).astype(np.uint8))
    (found,) = _fixed(PatchDraw(axis, (5, 3, 2), None), num_slices=5, label_slices=3)(item)
    turned = np.moveaxis(IMAGE, axis, 0)
    assert found.keys() == {"image", "label", "weight"}
    assert np.array_equal(found["image"], turned[3:8, 3:7, 2:8])
    assert np.array_equal(found["label"], turned[4:7, 3:7, 2:8] > 0.7)
    assert torch.equal(found["weight"], torch.ones(3, 4, 6))
    assert {value.dtype for value in found.values()} == {torch.float32}


def test_beyond_the_ends_edges_repeat_and_weigh_nothing():
    item = _item((IMAGE > 0.7).astype(np.uint8))
    (found,) = _fixed(PatchDraw(0, (0, -1, 12), None))(item)
    rows, columns = [0, 0, 1, 2], [12, 13, 14, 15, 15, 15]
    expected = IMAGE[np.ix_([0, 0, 1], rows, columns)]
    assert np.array_equal(found["image"], expected)
    assert np.array_equal(found["label"], expected > 0.7)
    weight = np.zeros((3, 4, 6))
    weight[1:, 1:, :4] = 1
    assert np.array_equal(found["weight"], weight)


def test_sparse_annotations_lower_the_weight_away_from_vessels():
    # row 8 of the label lies one below the patch's last: the halo sees it
    item = _item(_label((5, 8, 4)), annotated_fraction=0.65)
    (found,) = _fixed(PatchDraw(0, (5, 4, 2), None), sparse_margin=1.5, sparse_weight=0.25)(item)
    assert not found["label"].any()
    centre = torch.full((4, 6), 0.25)
    centre[3, 1:4] = 1  # row 7, columns 3 to 5: at most sqrt(2) off
    beside = torch.full((4, 6), 0.25)
    beside[3, 2] = 1  # a slice off too: sqrt(2) below the vessel, sqrt(3) beside it
    assert torch.equal(found["weight"], torch.stack([beside, centre, beside]))


def test_a_centre_on_a_vessel_stays_inside():
    transform = RandStackPatchesd(patch_size=(4, 6), num_samples=50, foreground=1.0, axes="zyx")
    transform.set_random_state(seed=0)
    for found in transform(_item(_label((5, 6, 7)))):
        assert found["label"][1, 2, 3] == 1
        assert found["label"].sum() == 1
    corner = transform(_item(_label((0, 0, 15))))
    assert {draw.start for draw in transform.draws} == {(0, 0, 10), (0, 0, 10), (15, 0, 0)}
    assert all(found["label"][1].sum() == 1 for found in corner)
    assert all(found["weight"][1].all() for found in corner)


def test_uniform_draws_cover_the_volume_and_no_more():
    transform = RandStackPatchesd(patch_size=(4, 6), num_samples=400, foreground=0.0, axes="zyx")
    transform.set_random_state(seed=0)
    assert len(transform(_item())) == 400
    for axis, room in ((0, (12, 11, 11)), (1, (14, 9, 11)), (2, (16, 9, 9))):
        starts = np.array([draw.start for draw in transform.draws if draw.axis == axis])
        assert len(starts) > 80
        assert starts.min(0).tolist() == [0, 0, 0]
        assert starts.max(0).tolist() == [size - 1 for size in room]
    assert all(draw.angles is None for draw in transform.draws)


def test_patches_larger_than_the_volume():
    transform = RandStackPatchesd(patch_size=(20, 24), num_samples=40).set_random_state(seed=0)
    for found, draw in zip(transform(_item()), transform.draws, strict=True):
        assert found["image"].shape == (3, 20, 24)
        assert -6 <= draw.start[1] <= 0
        assert -8 <= draw.start[2] <= 0
        assert found["weight"][1].sum() == 14 * 16


def test_foreground_is_drawn_as_often_as_asked():
    transform = RandStackPatchesd(patch_size=(2, 2), num_samples=400, foreground=0.5).set_random_state(seed=0)
    hits = sum(found["label"][1, 1, 1].item() for found in transform(_item(_label((5, 6, 7)))))
    assert 160 < hits < 240


def test_no_vessel_draws_anywhere():
    assert len(RandStackPatchesd(patch_size=(4, 4), num_samples=3, foreground=1.0)(_item(_label()))) == 3


def test_only_patches_are_read():
    item = _item(foreground=index_foreground(Boxes(_label((5, 6, 7))), block=4))
    RandStackPatchesd(patch_size=(4, 6))(item)
    (box,) = item["image"].boxes
    assert np.prod([part.stop - part.start for part in box]) <= 3 * 4 * 6


def test_a_label_is_indexed_once(monkeypatch):
    labels = []

    def counted(label):
        labels.append(label)
        return index_foreground(label)

    monkeypatch.setattr(module, "index_foreground", counted)
    first, second = _item(), _item()
    transform = RandStackPatchesd(patch_size=(4, 4), foreground=1.0)
    for item in (first, second, first, second):
        transform(item)
    assert labels == [first["label"], second["label"]]
    RandStackPatchesd(patch_size=(4, 4), foreground=0.0)(_item())
    assert len(labels) == 2


def test_oblique_planes_keep_a_vessel_at_their_pivot():
    label = _label((5, 6, 7))
    label[4:7, 5:8, 6:9] = 1
    options = {"patch_size": (5, 5), "num_samples": 60, "foreground": 1.0, "axes": "zyx"}
    transform = RandStackPatchesd(**options, oblique_probability=1.0, oblique_degrees=30)
    transform.set_random_state(seed=0)
    for found in transform(_item(label)):
        assert found["label"][1, 2, 2] == 1
        assert set(found["label"].unique().tolist()) <= {0.0, 1.0}
    angles = np.array([draw.angles for draw in transform.draws])
    assert 25 < np.abs(angles).max() <= 30
    assert (angles.min(0) < -15).all()
    assert (angles.max(0) > 15).all()


def test_an_oblique_patch_of_no_angle_is_the_straight_one():
    item = _item((IMAGE > 0.7).astype(np.uint8), annotated_fraction=0.5)
    for axis in range(3):
        (straight,) = _fixed(PatchDraw(axis, (5, 3, 2), None), sparse_margin=2)(item)
        (turned,) = _fixed(PatchDraw(axis, (5, 3, 2), (0.0, 0.0, 0.0)), sparse_margin=2)(item)
        for key, value in straight.items():
            assert torch.allclose(turned[key], value, atol=1e-5)


def test_oblique_patches_beyond_the_volume_weigh_nothing():
    (found,) = _fixed(PatchDraw(0, (0, -2, -3), (0.0, 0.0, 30.0)))(_item())
    assert 0 < found["weight"].sum() < found["weight"].numel() / 2
    assert torch.isfinite(found["image"]).all()


def test_oblique_draws_are_as_frequent_as_asked():
    transform = RandStackPatchesd(patch_size=(2, 2), num_samples=300, oblique_probability=0.3)
    transform.set_random_state(seed=0)
    transform(_item())
    assert 60 < sum(draw.angles is not None for draw in transform.draws) < 120


def test_seeds_repeat():
    found = []
    for _ in range(2):
        transform = RandStackPatchesd(patch_size=(4, 6), num_samples=8, axes="zyx", oblique_probability=0.5)
        found.append(transform.set_random_state(seed=5)(_item()))
    assert all(torch.equal(a[key], b[key]) for a, b in zip(*found, strict=True) for key in a)


def test_it_goes_to_other_processes():
    transform = RandStackPatchesd(patch_size=(4, 4))
    transform(_item())
    for other in (pickle.loads(pickle.dumps(transform)), copy.deepcopy(transform)):
        assert len(other(_item())) == 1


def test_through_monais_cache_and_loader():
    chain = Compose([IndexForegroundd(), RandStackPatchesd(patch_size=(4, 4), num_samples=2)])
    data = CacheDataset([_item(), _item()], chain, copy_cache=False, as_contiguous=False, progress=False)
    (batch,) = DataLoader(data, batch_size=2)
    assert batch["image"].shape == (4, 3, 4, 4)
    assert batch["weight"].shape == (4, 3, 4, 4)


def test_other_names():
    item = {"gray": Boxes(IMAGE), "mask": Boxes(_label())}
    (found,) = RandStackPatchesd(("gray", "mask"), patch_size=(4, 4), weight_key="trust")(item)
    assert found.keys() == {"gray", "mask", "trust"}


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"num_slices": 4}, "num_slices"),
        ({"label_slices": 2}, "num_slices"),
        ({"axes": ("q",)}, "axis 'q'"),
        ({"axes": ("zy",)}, "axis 'zy'"),
        ({"axes": ()}, "0 axes"),
        ({"keys": "image"}, "keys"),
        ({"patch_size": (0, 4)}, "patch_size"),
        ({"patch_size": (4, 4, 4)}, "patch_size"),
        ({"num_samples": 0}, "num_samples 0"),
        ({"foreground": 1.5}, "foreground"),
        ({"oblique_probability": -0.1}, "oblique_probability"),
        ({"sparse_weight": 2}, "sparse_weight"),
        ({"sparse_margin": -1}, "sparse_margin"),
        ({"oblique_degrees": -1}, "oblique_degrees"),
    ],
)
def test_refuses_bad_options(options, problem):
    with pytest.raises(InputError, match=problem):
        RandStackPatchesd(**options)


def test_refuses_unlike_shapes():
    with pytest.raises(InputError, match=r"image is \(12, 14, 16\), its label \(12, 14, 15\)"):
        RandStackPatchesd()({"image": Boxes(IMAGE), "label": Boxes(IMAGE[..., :15])})
