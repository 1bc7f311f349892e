# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import pytest
import torch
from monai.data import MetaTensor
from torch import nn

from tomobundles.data import collate_volumes
from tomobundles.inferers import SliceContextInferer, SliceScores, SliceStackInferer
from tomobundles.inferers.slice_context import slice_positions
from tomobundles.networks import GRUContext, KernelContext, SliceClassifier
from tomobundles.transforms import SliceChannels
from tomobundles.utils import InputError


class CountingNet(nn.Module):
    """Two numbers a slice of a stack, and the images it has seen."""

    def __init__(self, context: nn.Module | None = None, channels: int = 1) -> None:
        super().__init__()
        self.body = nn.Linear(1, 2)
        nn.init.constant_(self.body.weight, 3.0)
        self.context, self.channels, self.seen = context, channels, 0

    def forward(self, stacks: torch.Tensor, cam: bool = False) -> dict[str, torch.Tensor]:
        slices = stacks.unflatten(1, (-1, self.channels)).mean(2)
        self.seen += slices.shape[0] * slices.shape[1]
        logits = self.body(slices.mean((-2, -1)).unsqueeze(-1)).movedim(-1, 1)
        result = {"logits": logits, "slice_logits": logits, "features": logits.repeat(1, 2, 1)}
        if self.context is not None and logits.shape[-1] > 1:
            result["logits"] = self.context(logits, result["features"])
        return result | ({"cam": slices.unsqueeze(1).expand(-1, 2, -1, -1, -1)[:, :, 0]} if cam else {})


class Wrapper(nn.Module):
    """As DistributedDataParallel wraps."""

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, *args: object, **kwargs: object) -> object:
        return self.module(*args, **kwargs)


def volume(depth: int = 7, batch: int = 1) -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    slices = torch.randint(-100, 200, (batch, depth, 40, 32), generator=generator, dtype=torch.int16)
    return slices.movedim(1, -1).unsqueeze(1)


def walk(num_slices: int = 1, **options: object) -> SliceStackInferer:
    settings = {"normalize": SliceChannels(), "finish": SliceScores(), "batch_size": 3}
    return SliceStackInferer(num_slices=num_slices, **(settings | options))


@pytest.mark.parametrize("depth", [1, 2, 3, 5, 12])
def test_equals_the_naive_five_fold_computation_at_a_fifth_of_the_passes(depth: int) -> None:
    network = CountingNet(KernelContext())
    shared = SliceContextInferer(slices=walk())(volume(depth), network)
    assert network.seen == depth
    network.seen = 0
    naive = walk(5)(volume(depth), network)
    assert network.seen == 5 * depth
    assert shared["context_logits"].shape == (1, 2, depth)
    torch.testing.assert_close(shared["context_logits"], naive["logits"], atol=1e-5, rtol=0)


@torch.no_grad()
def test_equals_the_naive_computation_with_a_resnet() -> None:
    torch.manual_seed(0)
    network = SliceClassifier(backbone="resnet18", hidden=16, context=KernelContext())
    for module in network.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.momentum = None
    network(torch.rand(4, 1, 40, 32))
    network.eval()
    outputs = SliceContextInferer(slices=walk(), cam=True)(volume(6), network)
    naive = walk(5)(volume(6), network)
    torch.testing.assert_close(outputs["context_logits"], naive["logits"], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(outputs["features"], naive["features"], atol=1e-5, rtol=1e-5)
    assert {key: tuple(value.shape) for key, value in outputs.items()} == {
        "logits": (1, 5, 6),
        "context_logits": (1, 5, 6),
        "features": (1, 512, 6),
        "cam": (1, 5, 2, 1, 6),
    }
    channels = SliceChannels()(volume(6)[0].movedim(-1, 1)[0])  # (D, H, W)
    alone = network(channels[4].expand(1, 1, -1, -1), cam=True)
    torch.testing.assert_close(outputs["logits"][0, :, 4], alone["logits"][0, :, 0], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(outputs["cam"][..., 4], alone["cam"], atol=1e-5, rtol=1e-4)


def test_neighbours_as_channels() -> None:
    network = CountingNet(KernelContext(), channels=3)
    slices = walk(3, normalize=SliceChannels(neighbours=1))
    outputs = SliceContextInferer(slices=slices)(volume(), network)
    assert network.seen == 7
    assert outputs["context_logits"].shape == (1, 2, 7)


@pytest.mark.parametrize("build", [lambda: None, KernelContext])
def test_without_context(build) -> None:
    network = CountingNet(build())
    outputs = SliceContextInferer(slices=walk(), context=build() is None)(volume(), network)
    assert torch.equal(outputs["context_logits"], outputs["logits"])
    outputs["context_logits"] += 1  # not the same memory
    assert not torch.equal(outputs["context_logits"], outputs["logits"])
    plain = SliceContextInferer(slices=walk())(volume(), lambda stacks: network(stacks))
    assert torch.equal(plain["context_logits"], plain["logits"])


@pytest.mark.parametrize("wrap", [Wrapper, lambda network: Wrapper(Wrapper(network))])
def test_wrapped_networks(wrap) -> None:
    network = CountingNet(KernelContext())
    expected = SliceContextInferer(slices=walk())(volume(), network)
    found = SliceContextInferer(slices=walk())(volume(), wrap(network))
    assert torch.equal(found["context_logits"], expected["context_logits"])
    assert not torch.equal(expected["context_logits"], expected["logits"])


def test_learned_context_leaves_no_graph() -> None:
    context = GRUContext(2, features=4, hidden=3)
    nn.init.normal_(context.out.weight)
    outputs = SliceContextInferer(slices=walk())(volume(), CountingNet(context))
    assert not outputs["context_logits"].requires_grad
    assert not torch.equal(outputs["context_logits"], outputs["logits"])


def test_batches_of_scans_do_not_mix() -> None:
    network = CountingNet(KernelContext())
    infer = SliceContextInferer(slices=walk(), cam=True)
    both, second = infer(volume(batch=2), network), infer(volume(batch=2)[1:], network)
    assert all(torch.equal(both[key][1:], second[key]) for key in second)
    assert both["cam"].shape == (2, 2, 40, 32, 7)


def scan(**meta: object) -> MetaTensor:
    """One scan (1, H, W, 4)."""
    return MetaTensor(volume(4)[0], affine=torch.diag(torch.tensor([0.5, 0.5, 5.0, 1.0])), meta=meta)


def collated(*scans: MetaTensor) -> MetaTensor:
    return collate_volumes([{"image": one} for one in scans])["image"]


def test_positions_come_from_the_slices_themselves() -> None:
    known = torch.tensor([0.0, 5.0, 15.0, 20.0], dtype=torch.float64)
    for meta in (known, known.numpy(), known.tolist()):
        inputs = collated(scan(slice_positions_mm=meta, spacing_known=True))
        assert torch.equal(slice_positions(inputs)[0], known)
    several = collated(scan(slice_positions_mm=known), scan(slice_positions_mm=known + 1))
    assert [places.tolist() for places in slice_positions(several)] == [[0, 5, 15, 20], [1, 6, 16, 21]]
    with pytest.raises(InputError, match="3 slice positions for 4 slices"):
        slice_positions(collated(scan(slice_positions_mm=known[:3])))


def test_positions_come_from_the_affine() -> None:
    assert slice_positions(collated(scan(spacing_known=True)))[0].tolist() == [0, 5, 10, 15]
    assert slice_positions(collated(scan(spacing_known=False))) == [None]
    assert slice_positions(collated(scan())) == [None]
    assert slice_positions(volume(4, batch=2)) == [None, None]
    both = slice_positions(collated(scan(spacing_known=True), scan(spacing_known=False)))
    assert both[0].tolist() == [0, 5, 10, 15]
    assert both[1] is None


def test_tilted_scans_are_measured_along_their_normal() -> None:
    tilted = scan(spacing_known=True)
    tilted.affine[:3, 2] = torch.tensor([0.0, 3.0, -4.0])  # the table moves 5 mm, the planes 4 mm apart
    assert slice_positions(collated(tilted))[0].tolist() == [0, 4, 8, 12]


def test_positions_along_other_axes() -> None:
    inputs = collated(scan(spacing_known=True))
    assert slice_positions(inputs, slice_dim=-2)[0][:3].tolist() == [0, 0.5, 1]
    assert len(slice_positions(inputs, slice_dim=-3)[0]) == 40


def test_positions_reach_the_context() -> None:
    network = CountingNet(KernelContext(tap_mm=1))
    infer = SliceContextInferer(slices=walk())
    apart = infer(collated(scan(spacing_known=True)), network)  # 5 mm: every slice alone
    torch.testing.assert_close(apart["context_logits"], apart["logits"] * 1.3)
    assert type(apart["context_logits"]) is torch.Tensor
    unknown = infer(collated(scan(spacing_known=False)), network)
    expected = KernelContext()(unknown["logits"], unknown["features"])
    torch.testing.assert_close(unknown["context_logits"], expected)


def test_scores_are_those_of_the_centre() -> None:
    outputs = {"logits": torch.arange(10.0).reshape(1, 2, 5), "features": torch.zeros(1, 4, 5).bfloat16()}
    scores = SliceScores()(outputs | {"slice_logits": outputs["logits"]})
    assert scores["logits"].tolist() == [[2, 7]]
    assert scores["features"].shape == (1, 4)
    assert scores["features"].dtype == torch.float32
    assert scores.keys() == {"logits", "features"}


def test_inferer_that_stores_no_scores() -> None:
    with pytest.raises(InputError, match=r"logits are \(1, 2, 1, 7\)\nGive slices finish: SliceScores"):
        SliceContextInferer(slices=walk(finish=None))(volume(), CountingNet())
