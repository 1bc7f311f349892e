# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
import torch

from tomobundles.transforms import RandSliceStacksd, gather_stacks, stack_offsets
from tomobundles.utils import InputError

# slice d of a volume is filled with d, so a stack tells which slices it holds
VOLUME = torch.arange(6, dtype=torch.uint8).expand(1, 4, 3, 6)


def _draw(depth=6, seed=0, **kwargs):
    volume = torch.arange(depth, dtype=torch.uint8).expand(1, 4, 3, depth)
    transform = RandSliceStacksd(keys=["image", "label"], **kwargs)
    transform.set_random_state(seed=seed)
    return transform({"image": volume, "label": volume, "patient": "P1"}), transform


def test_offsets():
    assert stack_offsets(1) == [0]
    assert stack_offsets(5) == [-2, -1, 0, 1, 2]
    assert stack_offsets(3, reverse=True) == [1, 0, -1]
    for wrong in (0, 2, -1):
        with pytest.raises(InputError, match="positive odd number"):
            stack_offsets(wrong)


def test_ends_replicate():
    stacks = gather_stacks(VOLUME, [0, 3, 5], offsets=[-1, 0, 1])
    assert stacks.shape == (3, 3, 4, 3)
    # first slice: itself twice, then the next; last: the one before, then itself twice
    assert stacks[:, :, 0, 0].tolist() == [[0, 0, 1], [2, 3, 4], [4, 5, 5]]


def test_a_stack_wider_than_the_volume():
    assert gather_stacks(VOLUME[..., :1], [0], offsets=[-2, -1, 0, 1, 2])[0, :, 0, 0].tolist() == [0] * 5


@pytest.mark.parametrize(
    ("slice_dim", "shape"), [(-1, (4, 3)), (-2, (4, 6)), (-3, (3, 6)), (1, (3, 6)), (3, (4, 3))]
)
def test_any_axis_can_be_the_slice_axis(slice_dim, shape):
    volume = torch.randint(0, 255, (1, 4, 3, 6), dtype=torch.uint8)
    stacks = gather_stacks(volume, [1], offsets=[0], slice_dim=slice_dim)
    assert stacks.shape == (1, 1, *shape)
    torch.testing.assert_close(stacks[0, 0], volume.select(slice_dim, 1)[0])


def test_label_is_the_centre_slice():
    samples, transform = _draw(num_samples=4)
    assert len(samples) == 4
    for sample, centre in zip(samples, transform.centres, strict=True):
        assert sample["image"].shape == (3, 4, 3)
        assert sample["label"].shape == (1, 4, 3)
        assert sample["label"].unique().tolist() == [centre]
        assert sample["image"][1, 0, 0] == centre
        assert sample["patient"] == "P1"


def test_reversed_stack_has_the_next_slice_first():
    samples, transform = _draw(num_samples=6, reverse=True)
    sample = samples[transform.centres.index(3)]
    assert sample["image"][:, 0, 0].tolist() == [4, 3, 2]


def test_draws_within_a_visit_do_not_repeat_while_there_are_slices():
    assert sorted(_draw(num_samples=6)[1].centres) == list(range(6))
    assert sorted(_draw(num_samples=12)[1].centres) == sorted([*range(6), *range(6)])


def test_same_seed_same_draw():
    assert _draw(num_samples=3, seed=7)[1].centres == _draw(num_samples=3, seed=7)[1].centres
    assert len({tuple(_draw(num_samples=3, seed=seed)[1].centres) for seed in range(10)}) > 1


def test_balance_draws_rare_classes_as_often_as_common_ones():
    presence = torch.zeros(3, 100, dtype=torch.bool)
    presence[0] = True  # everywhere
    presence[1, 42] = True  # one slice; the third class nowhere
    transform = RandSliceStacksd(keys="image", num_samples=2000, balance=1.0)
    transform.set_random_state(seed=0)
    transform.randomize(100, presence)
    # half of the draws take class 1's only slice; 2000 draws have a standard deviation of 22
    assert transform.centres.count(42) == pytest.approx(1000 + 10, abs=90)
    transform.balance = 0.0
    transform.randomize(100, presence)
    assert transform.centres.count(42) == 20


def test_balance_without_any_class_draws_evenly():
    transform = RandSliceStacksd(keys="image", num_samples=4, balance=1.0)
    transform.randomize(4, torch.zeros(2, 4, dtype=torch.bool))
    assert sorted(transform.centres) == [0, 1, 2, 3]


def test_presence_table_does_not_reach_the_batch():
    transform = RandSliceStacksd(keys="image", balance=0.5)
    sample = transform({"image": VOLUME, "presence": torch.ones(1, 6, dtype=torch.bool)})[0]
    assert set(sample) == {"image"}


def test_sixteen_bit_volumes():
    volume = torch.from_numpy(np.full((1, 2, 2, 3), 65_000, np.uint16))
    assert gather_stacks(volume, [0], offsets=[-1, 0, 1]).dtype == torch.uint16


def test_bad_arguments():
    with pytest.raises(InputError, match="balance is 2"):
        RandSliceStacksd(keys="image", balance=2)
    with pytest.raises(InputError, match="number of slices"):
        RandSliceStacksd(keys=["image", "label"])({"image": VOLUME, "label": VOLUME[..., :5]})


def _table(depth=6):
    """Row r of slice d is 10 r + d; the last row is unknown."""
    table = torch.arange(depth) + 10.0 * torch.arange(3).reshape(3, 1)
    table[2] = float("nan")
    return table


def _draw_table(table=None, **kwargs):
    transform = RandSliceStacksd(keys="image", num_samples=6, table_key="label", **kwargs)
    transform.set_random_state(seed=0)
    return transform({"image": VOLUME, "label": _table() if table is None else table}), transform


def test_table_has_the_columns_of_the_stack():
    samples, transform = _draw_table(num_slices=3)
    for sample, centre in zip(samples, transform.centres, strict=True):
        assert sample["label"].shape == (3, 3)
        assert sample["label"][0].tolist() == sample["image"][:, 0, 0].tolist()
        assert sample["label"][1, 1] == 10 + centre
        assert sample["label"][2].isnan().all()
    # edges replicate as those of the image
    assert samples[transform.centres.index(5)]["label"][0].tolist() == [4, 5, 5]


def test_table_without_the_slices_that_are_neighbours_alone():
    samples, transform = _draw_table(num_slices=5, table_margin=1)
    for sample in samples:
        assert sample["image"].shape == (5, 4, 3)
        assert sample["label"][0].tolist() == sample["image"][1:4, 0, 0].tolist()
    samples, transform = _draw_table(num_slices=3, table_margin=1)
    assert [sample["label"][0].tolist() for sample in samples] == [[centre] for centre in transform.centres]


@pytest.mark.parametrize("num_slices", [1, 5])
def test_table_of_the_centre_slice(num_slices):
    samples, transform = _draw_table(num_slices=num_slices, table_slices="centre")
    assert [sample["label"][:2].tolist() for sample in samples] == [
        [[centre], [10 + centre]] for centre in transform.centres
    ]


def test_table_of_a_reversed_stack():
    samples, transform = _draw_table(num_slices=3, reverse=True)
    assert samples[transform.centres.index(3)]["label"][0].tolist() == [4, 3, 2]


def test_table_may_also_say_what_is_present():
    samples, _ = _draw_table(num_slices=1, presence_key="label", balance=1.0)
    assert samples[0]["label"].shape == (3, 1)


def test_unknown_is_not_present():
    table = torch.zeros(3, 100)
    table[0, 42] = 1
    table[1] = float("nan")  # unknown everywhere
    table[2, :50] = float("nan")  # half unknown, half absent
    transform = RandSliceStacksd(keys="image", num_samples=50, balance=1.0)
    transform.randomize(100, table)
    assert transform.centres == [42] * 50


def test_a_sample_without_its_table():
    transform = RandSliceStacksd(keys="image", table_key="label", allow_missing_keys=True)
    assert transform({"image": VOLUME})[0].keys() == {"image"}
    with pytest.raises(KeyError, match="label"):
        RandSliceStacksd(keys="image", table_key="label")({"image": VOLUME})


def test_bad_tables():
    with pytest.raises(InputError, match="table_slices is 'center'"):
        RandSliceStacksd(keys="image", table_slices="center")
    for margin in (-1, 2):
        with pytest.raises(InputError, match=f"table_margin is {margin} of 3 slices"):
            RandSliceStacksd(keys="image", table_margin=margin)
    for shape in ((3, 5), (6,)):
        with pytest.raises(InputError, match=r"label is .* not a row a class by 6 slices"):
            _draw_table(torch.zeros(shape))
