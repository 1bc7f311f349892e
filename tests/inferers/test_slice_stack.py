# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from torch import nn

from tomobundles.inferers import (
    AutocastInferer,
    CentreProbability,
    ClassesAndPresence,
    InPlaneWindows,
    SliceStackInferer,
)
from tomobundles.transforms import NormalizeStack
from tomobundles.utils import InputError


class TinyNet(nn.Module):
    """A segmentation and presence network in small, that counts the slices it has seen."""

    def __init__(self, num_slices=3):
        super().__init__()
        torch.manual_seed(0)
        self.body = nn.Conv2d(num_slices, 4, 3, padding=1)
        self.seen = 0

    def forward(self, stacks):
        self.seen += len(stacks)
        maps = self.body(stacks)
        return {"segmentation": maps, "presence": maps[:, 1:].amax(dim=(2, 3))}


def _volume(depth=7, dtype=torch.uint8):
    generator = torch.Generator().manual_seed(1)
    slices = torch.randint(0, 200, (depth, 12, 10), generator=generator).to(dtype)
    return slices.movedim(0, -1)[None, None]


def _naive(volume, network, *, batch_size, num_slices=3, normalize=None):
    """Pad the volume, build every stack, loop over batches, concatenate."""
    half = num_slices // 2
    slices = volume[0, 0].movedim(-1, 0)
    padded = torch.cat([slices[:1]] * half + [slices] + [slices[-1:]] * half)
    stacks = torch.stack([padded[index : index + num_slices] for index in range(len(slices))])
    stacks = normalize(stacks) if normalize else stacks.float()
    with torch.no_grad():
        outputs = [network(batch) for batch in stacks.split(batch_size)]
    maps = torch.cat([output["segmentation"] for output in outputs])
    vectors = torch.cat([output["presence"] for output in outputs])
    return maps.movedim(0, -1).unsqueeze(0), vectors.T.unsqueeze(0)


@pytest.mark.parametrize("depth", [1, 2, 3, 7, 8])
@pytest.mark.parametrize("num_slices", [1, 3, 5])
@pytest.mark.parametrize("batch_size", [1, 3, 16])
def test_equals_the_naive_loop_bit_for_bit(depth, num_slices, batch_size):
    network, normalize = TinyNet(num_slices), NormalizeStack(100, 20)
    inferer = SliceStackInferer(num_slices=num_slices, batch_size=batch_size, normalize=normalize)
    outputs = inferer(_volume(depth), network)
    maps, vectors = _naive(
        _volume(depth), network, batch_size=batch_size, num_slices=num_slices, normalize=normalize
    )
    assert torch.equal(outputs["segmentation"], maps)
    assert torch.equal(outputs["presence"], vectors)
    assert outputs["segmentation"].shape == (1, 4, 12, 10, depth)
    assert outputs["presence"].shape == (1, 3, depth)


def test_other_batch_sizes_agree_to_rounding():
    network = TinyNet()
    outputs = SliceStackInferer(batch_size=5, normalize=NormalizeStack(100, 20))(_volume(), network)
    maps, _ = _naive(_volume(), network, batch_size=1, normalize=NormalizeStack(100, 20))
    torch.testing.assert_close(outputs["segmentation"], maps, atol=1e-6, rtol=1e-6)


def test_each_slice_goes_through_the_network_once():
    network = TinyNet()
    SliceStackInferer(batch_size=3)(_volume(8), network)
    assert network.seen == 8


@pytest.mark.parametrize("slice_dim", [-2, -3])
def test_other_slice_axes(slice_dim):
    volume = _volume()
    turned = volume.movedim(-1, slice_dim)
    network = TinyNet()
    expected = SliceStackInferer()(volume, network)
    found = SliceStackInferer(slice_dim=slice_dim)(turned, network)
    assert torch.equal(found["segmentation"], expected["segmentation"].movedim(-1, slice_dim))
    assert torch.equal(found["presence"], expected["presence"])


def test_reversed_stacks():
    network = TinyNet()
    flipped = TinyNet()
    flipped.body.weight.data = network.body.weight.data.flip(1)
    expected = SliceStackInferer()(_volume(), network)["segmentation"]
    found = SliceStackInferer(reverse=True)(_volume(), flipped)["segmentation"]
    torch.testing.assert_close(found, expected, atol=2e-4, rtol=1e-6)  # grays up to 200, not normalised


def test_batches_of_volumes_and_tensor_outputs():
    volumes = torch.cat([_volume(), 200 - _volume()])
    found = SliceStackInferer()(volumes, lambda stacks: stacks[:, 1:2])
    assert torch.equal(found, volumes.float())


def test_arguments_of_the_network_come_after_its_input():
    found = SliceStackInferer()(
        _volume(), lambda stacks, factor, *, plus: stacks[:, 1:2] * factor + plus, 2, plus=1
    )
    assert torch.equal(found, _volume().float() * 2 + 1)


@pytest.mark.parametrize("batch_size", [1, 2, 5])
def test_some_slices_with_their_neighbours(batch_size):
    """A slab of slices 2 to 6 answers for 3 to 5 as the whole volume does."""
    network, advanced = TinyNet(), []
    expected = SliceStackInferer()(_volume(9), network)["segmentation"][0, ..., 3:6]
    inferer = SliceStackInferer(batch_size=batch_size)
    found = inferer.infer(_volume(9)[0, ..., 2:7], network, centres=range(1, 4), advance=advanced.append)
    torch.testing.assert_close(found["segmentation"], expected, atol=1e-4, rtol=1e-6)
    assert found["presence"].shape == (3, 3)
    assert sum(advanced) == 3


def test_windows_blend_what_activate_gives():
    network, windows = TinyNet().body, InPlaneWindows(roi_size=(6, 6), overlap=0.5)
    found = SliceStackInferer(windows=windows, activate=torch.sigmoid)(_volume(), network)
    expected = SliceStackInferer(windows=windows)(_volume(), lambda stacks: network(stacks).sigmoid())
    assert torch.equal(found, expected)
    late = SliceStackInferer(windows=windows)(_volume(), network).sigmoid()
    assert not torch.allclose(found, late, atol=1e-3)


def test_channels_last_and_wide_types_change_nothing():
    network = TinyNet()
    expected = SliceStackInferer()(_volume(), network)["segmentation"]
    network = network.to(memory_format=torch.channels_last)
    for dtype in (torch.uint8, torch.uint16, torch.int32, torch.float64):
        found = SliceStackInferer(channels_last=True)(_volume(dtype=dtype), network)["segmentation"]
        torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-5)


def test_finish_reduces_before_storing():
    inferer = SliceStackInferer(finish=ClassesAndPresence(probabilities=True), batch_size=2, progress=True)
    network = TinyNet()
    maps, vectors = _naive(_volume(), network, batch_size=2)
    outputs = inferer(_volume(), network)
    assert outputs["label"].dtype == torch.uint8
    assert torch.equal(outputs["label"].long(), maps.argmax(1, keepdim=True))
    assert torch.equal(outputs["presence"], vectors.sigmoid())
    torch.testing.assert_close(outputs["probabilities"], maps.softmax(1))
    assert set(ClassesAndPresence()({"presence": torch.zeros(1, 2)})) == {"presence"}
    assert set(ClassesAndPresence()({"segmentation": torch.zeros(1, 2, 3, 3)})) == {"label"}


def test_memory_does_not_grow_with_the_batch():
    """Peak of what is alive while inferring, above input and result, is a few stacks of one batch."""
    volume = _volume(64)
    peaks = []

    def network(stacks):
        peaks.append(stacks.untyped_storage().nbytes())
        return {"label": stacks[:, 1:2].to(torch.uint8)}

    outputs = SliceStackInferer(batch_size=2)(volume, network)
    assert max(peaks) == 2 * 3 * 12 * 10 * 4
    assert outputs["label"].untyped_storage().nbytes() == volume.numel()


def test_bf16_is_close_and_float32_is_default():
    network = TinyNet()
    kwargs = {"normalize": NormalizeStack(100, 50)}
    exact = SliceStackInferer(**kwargs)(_volume(), network)["segmentation"]
    rounded = SliceStackInferer(bf16=True, **kwargs)(_volume(), network)["segmentation"]
    assert exact.dtype == torch.float32
    assert not torch.equal(exact, rounded.float())
    torch.testing.assert_close(rounded.float(), exact, atol=0.05, rtol=0.02)


def test_autocast_of_an_engine_is_left_alone():
    with torch.autocast("cpu", torch.bfloat16):
        assert SliceStackInferer()(_volume(), TinyNet())["segmentation"].dtype == torch.bfloat16


def test_windows_of_the_whole_slice_are_no_windows():
    network = TinyNet()
    expected = SliceStackInferer()(_volume(), network)
    found = SliceStackInferer(windows=InPlaneWindows(roi_size=(64, 64)))(_volume(), network)
    assert torch.equal(found["segmentation"], expected["segmentation"])


@pytest.mark.parametrize("mode", ["constant", "gaussian"])
def test_windows_blend_to_the_whole_for_a_pixelwise_network(mode):
    # a network without a neighbourhood gives each pixel the same answer in every window that holds it
    def network(stacks):
        return {"segmentation": stacks * 2, "presence": stacks.amax(dim=(2, 3))}

    windows = InPlaneWindows(roi_size=(5, 4), overlap=0.5, mode=mode)
    expected = SliceStackInferer()(_volume(), network)
    found = SliceStackInferer(windows=windows)(_volume(), network)
    torch.testing.assert_close(found["segmentation"], expected["segmentation"])
    assert torch.equal(found["presence"], expected["presence"])
    tensor = SliceStackInferer(windows=windows)(_volume(), lambda stacks: stacks[:, 1:2])
    torch.testing.assert_close(tensor, _volume().float())


def test_windows_see_no_more_than_their_roi():
    sizes = set()

    def network(stacks):
        sizes.add(tuple(stacks.shape[-2:]))
        return stacks[:, :1]

    SliceStackInferer(windows=InPlaneWindows(roi_size=(5, 99), overlap=0))(_volume(), network)
    assert sizes == {(5, 10)}


def test_training_inferer():
    network, stacks = TinyNet(), torch.randn(2, 3, 8, 8)
    exact = AutocastInferer(channels_last=True)(stacks, network)
    rounded = AutocastInferer(bf16=True)(stacks, network)
    assert {value.dtype for value in rounded.values()} == {torch.float32}
    torch.testing.assert_close(rounded["segmentation"], exact["segmentation"], atol=0.05, rtol=0.02)
    assert AutocastInferer(bf16=True)(stacks, network.body).dtype == torch.float32
    rounded["segmentation"].sum().backward()
    assert network.body.weight.grad.isfinite().all()


def test_bad_arguments():
    with pytest.raises(InputError, match="num_slices is 2"):
        SliceStackInferer(num_slices=2)
    with pytest.raises(ValueError, match="slice_dim"):
        SliceStackInferer(slice_dim=0)
    with pytest.raises(ValueError, match="batch_size"):
        SliceStackInferer(batch_size=0)
    with pytest.raises(ValueError, match="overlap"):
        InPlaneWindows(roi_size=(4, 4), overlap=1)
    with pytest.raises(ValueError, match=r"\(B, 1, H, W, D\)"):
        SliceStackInferer()(torch.zeros(1, 3, 4, 4, 4), TinyNet())
    with pytest.raises(TypeError, match="got list"):
        SliceStackInferer()(_volume(), lambda stacks: [stacks])


def test_probability_of_the_centre_slice():
    logits = torch.tensor([0.0, 2, -2]).reshape(1, 3, 1, 1).to(torch.bfloat16)
    found = CentreProbability()(logits)
    assert found.dtype == torch.float32
    assert found.item() == pytest.approx(0.8807971)
    assert CentreProbability()(logits[:, :1]).tolist() == [[[[0.5]]]]
