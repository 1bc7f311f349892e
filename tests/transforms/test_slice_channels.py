# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch
from monai.data import MetaTensor

from tomobundles.transforms import SliceChannels, SliceChannelsd
from tomobundles.utils import InputError


def constant(*grays: float, dtype: torch.dtype = torch.int16) -> torch.Tensor:
    """A stack whose slice s is filled with grays[s]."""
    return torch.tensor(grays).to(dtype).reshape(-1, 1, 1).expand(-1, 4, 6)


def seen(stacks: torch.Tensor) -> list[float]:
    assert stacks.dtype == torch.float32
    assert torch.equal(stacks, stacks[..., :1, :1].expand_as(stacks))
    return [round(value, 5) for value in stacks[..., 0, 0].flatten().tolist()]


@pytest.mark.parametrize(
    ("window", "values"),
    # -2048 (padding), 0 (water), 40 (grey matter), 60 (blood), 80, 1000 (bone), 3071
    [
        ([40, 80], [0, 0, 0.5, 0.75, 1, 1, 1]),
        ("brain", [0, 0, 0.5, 0.75, 1, 1, 1]),
        ("subdural", [0, 0.1, 0.3, 0.4, 0.5, 1, 1]),  # -20 to 180
        ("bone", [0, 0.28571, 0.3, 0.30714, 0.31429, 0.64286, 1]),  # -800 to 2000
        ("soft", [0, 0.39474, 0.5, 0.55263, 0.60526, 1, 1]),  # -150 to 230
        ("stroke", [0, 0, 1, 1, 1, 1, 1]),  # 28 to 36
    ],
)
def test_windows(window, values: list[float]) -> None:
    stack = constant(-2048, 0, 40, 60, 80, 1000, 3071)
    assert seen(SliceChannels(windows=[window])(stack)) == values
    if isinstance(window, str):
        assert seen(SliceChannels(windows=window)(stack.float())) == values


def test_default_is_the_brain_window() -> None:
    assert torch.equal(SliceChannels()(constant(20, 70)), SliceChannels(windows="brain")(constant(20, 70)))


def test_eight_bits_are_windowed_already() -> None:
    assert seen(SliceChannels(windows="bone")(constant(0, 51, 255, dtype=torch.uint8))) == [0, 0.2, 1]
    with pytest.raises(InputError, match="2 windows, but the images are 8-bit"):
        SliceChannels(windows=["brain", "bone"])(constant(0, dtype=torch.uint8))


def test_first_slices_channels_come_first() -> None:
    channels = SliceChannels(windows=["brain", "subdural"])
    assert channels.channels_per_slice == 2
    assert seen(channels(constant(20, 60))) == [0.25, 0.2, 0.75, 0.4]


def test_neighbours_are_channels_of_their_slice() -> None:
    channels = SliceChannels(neighbours=1)
    assert channels.channels_per_slice == 3
    # five slices are three with their neighbours
    assert seen(channels(constant(0, 20, 40, 60, 80))) == [0, 0.25, 0.5, 0.25, 0.5, 0.75, 0.5, 0.75, 1]


def test_neighbours_in_several_windows() -> None:
    channels = SliceChannels(windows=["brain", "subdural"], neighbours=1)
    assert channels.channels_per_slice == 6
    assert seen(channels(constant(0, 20, 60))) == [0, 0.1, 0.25, 0.2, 0.75, 0.4]


def test_a_batch_of_stacks_is_each_stack() -> None:
    batch = torch.randint(-1000, 2000, (3, 5, 8, 6), dtype=torch.int16)
    for options in ({}, {"neighbours": 1, "windows": ["brain", "soft"]}, {"size": (4, 3), "neighbours": 2}):
        channels = SliceChannels(**options)
        together = channels(batch)
        assert together.is_contiguous()
        assert torch.equal(together, torch.stack([channels(stack) for stack in batch]))
    assert SliceChannels()(batch.unsqueeze(0)).shape == (1, 3, 5, 8, 6)


def test_size() -> None:
    assert SliceChannels(size=3)(constant(0, 40)).shape == (2, 3, 3)
    assert SliceChannels(size=[2, 3], windows=["brain", "bone"])(constant(0)).shape == (2, 2, 3)
    # columns of 0 and 80 HU become gray; taking every fourth would give all or nothing
    stripes = torch.tensor([0.0, 80.0]).repeat(32).expand(1, 64, 64)
    small = SliceChannels(size=16)(stripes)
    torch.testing.assert_close(small[..., 2:-2], torch.full((1, 16, 12), 0.5), atol=0.02, rtol=0)
    assert torch.equal(SliceChannels(size=(64, 64))(stripes), SliceChannels()(stripes))
    noise = torch.randint(-100, 200, (1, 50, 50))
    larger = SliceChannels(size=77)(noise)
    assert larger.min() >= 0
    assert larger.max() <= 1


def test_input_is_not_changed() -> None:
    for dtype in (torch.float32, torch.int16, torch.uint8):
        stack = constant(0, 40, 80, dtype=dtype).clone()
        before = stack.clone()
        result = SliceChannels()(stack)
        result += 1
        assert torch.equal(stack, before)


def test_plain_tensor_of_a_metatensor() -> None:
    result = SliceChannels()(MetaTensor(constant(20)))
    assert type(result) is torch.Tensor


def test_dictionary_version_shares_the_transform() -> None:
    channels = SliceChannels()
    transform = SliceChannelsd("image", channels=channels)
    sample = {"image": constant(20), "label": torch.ones(5, 1)}
    result = transform(sample)
    assert transform.channels is channels
    assert seen(result["image"]) == [0.25]
    assert result["label"] is sample["label"]
    assert seen(sample["image"].float()) == [20]
    assert SliceChannelsd("other", channels=channels, allow_missing_keys=True)(sample).keys() == sample.keys()


@pytest.mark.parametrize("window", ["brian", [40], [40, 0], [40, -80], 40, [40, 80, 1]])
def test_bad_windows(window) -> None:
    with pytest.raises(InputError, match="window is"):
        SliceChannels(windows=[window])


@pytest.mark.parametrize("size", [0, [512], [512, -1], [512, 512, 3], [512, 1.5]])
def test_bad_size(size) -> None:
    with pytest.raises(InputError, match="size is"):
        SliceChannels(size=size)


def test_bad_arguments() -> None:
    with pytest.raises(InputError, match="windows is empty"):
        SliceChannels(windows=[])
    with pytest.raises(InputError, match="neighbours is -1"):
        SliceChannels(neighbours=-1)
    with pytest.raises(InputError, match="a stack of 2 slices, but one with its neighbours is 3"):
        SliceChannels(neighbours=1)(constant(0, 1))
