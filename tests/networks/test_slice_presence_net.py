# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from tomobundles.networks import SlicePresenceNet
from tomobundles.networks.resized_network import resize
from tomobundles.utils import InputError


def imagenet_shapes() -> dict[str, tuple[int, ...]]:
    """Names and shapes of an ImageNet ResNet-18 state dict, written out from the architecture's table."""
    shapes: dict[str, tuple[int, ...]] = {"conv1.weight": (64, 3, 7, 7)}

    def norm(name: str, width: int) -> None:
        for part in ("weight", "bias", "running_mean", "running_var"):
            shapes[f"{name}.{part}"] = (width,)
        shapes[f"{name}.num_batches_tracked"] = ()

    norm("bn1", 64)
    width = 64
    for stage, out in enumerate((64, 128, 256, 512), start=1):
        for block in (0, 1):
            name = f"layer{stage}.{block}"
            shapes[f"{name}.conv1.weight"] = (out, width, 3, 3)
            norm(f"{name}.bn1", out)
            shapes[f"{name}.conv2.weight"] = (out, out, 3, 3)
            norm(f"{name}.bn2", out)
            if width != out:
                shapes[f"{name}.downsample.0.weight"] = (out, width, 1, 1)
                norm(f"{name}.downsample.1", out)
            width = out
    return shapes | {"fc.weight": (1000, 512), "fc.bias": (1000,)}


def imagenet_weights() -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {
        name: torch.zeros((), dtype=torch.long)
        if not shape
        else torch.rand(shape, generator=generator) * 0.01
        for name, shape in imagenet_shapes().items()
    }


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    torch.save(imagenet_weights(), tmp_path / "resnet18.pth")
    return tmp_path / "resnet18.pth"


def test_parameters() -> None:
    # ImageNet's ResNet-18 has 11,689,512, of which the classifier 512 * 1000 + 1000 = 513,000; this
    # classifier has 512 * 3 + 3 = 1,539.
    assert (
        sum(p.numel() for p in SlicePresenceNet().parameters()) == 11_689_512 - 513_000 + 1_539 == 11_178_051
    )


def test_loads_all_but_the_classifier(weights: Path) -> None:
    torch.manual_seed(0)
    scratch = SlicePresenceNet().resnet.state_dict()
    torch.manual_seed(0)
    loaded = SlicePresenceNet(weights=weights).resnet.state_dict()
    expected = imagenet_weights()
    assert loaded.keys() == expected.keys()
    for name, value in loaded.items():
        assert torch.equal(value, scratch[name] if name.startswith("fc.") else expected[name])


def test_old_file_without_batch_counters(tmp_path: Path) -> None:
    old = {n: v for n, v in imagenet_weights().items() if not n.endswith("num_batches_tracked")}
    torch.save(old, tmp_path / "old.pth")
    network = SlicePresenceNet(weights=tmp_path / "old.pth")
    assert torch.equal(network.resnet.conv1.weight, old["conv1.weight"])


def test_input_size() -> None:
    network = SlicePresenceNet(input_size=(48, 32)).eval()
    image = torch.randn(2, 3, 90, 70)
    whole = SlicePresenceNet(input_size=None).eval()
    whole.load_state_dict(network.state_dict())
    assert torch.equal(network(image)["presence"], whole(resize(image, (48, 32)))["presence"])
    assert not torch.equal(network(image)["presence"], whole(image)["presence"])


def test_classes() -> None:
    assert SlicePresenceNet(presence_classes=5).eval()(torch.zeros(1, 3, 32, 32))["presence"].shape == (1, 5)


def test_weights_of_three_slices_only(weights: Path) -> None:
    match = r"conv1\.weight is \(64, 3, 7, 7\) in the file, \(64, 5, 7, 7\) in the network"
    with pytest.raises(InputError, match=match):
        SlicePresenceNet(in_channels=5, weights=weights)


def test_weights_of_another_network(tmp_path: Path) -> None:
    torch.save({"conv1.weight": torch.zeros(64, 3, 7, 7)}, tmp_path / "other.pth")
    with pytest.raises(InputError, match=r"99 missing \(first bn1\.weight\)"):
        SlicePresenceNet(weights=tmp_path / "other.pth")


def test_bad_size() -> None:
    with pytest.raises(InputError, match="input_size is 224"):
        SlicePresenceNet(input_size=224)
