# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor

from tomobundles.networks import ResNeXtEncoder, ResNeXtUNet, load_encoder_weights
from tomobundles.utils import InputError

WIDTH = 4


def make(seed: int, *, in_channels: int = 3, backbone: str = "resnext50_32x4d") -> ResNeXtEncoder:
    torch.manual_seed(seed)
    return ResNeXtEncoder(backbone, in_channels=in_channels, width=WIDTH).eval()


def file_of(tmp_path: Path, state: dict[str, Tensor]) -> Path:
    torch.save(state, tmp_path / "encoder.pth")
    return tmp_path / "encoder.pth"


def imagenet(seed: int = 1) -> dict[str, Tensor]:
    """A state dict as torchvision and timm write it."""
    classifier = {"fc.weight": torch.zeros(1000, 32 * WIDTH), "fc.bias": torch.zeros(1000)}
    return make(seed).state_dict() | classifier


def deepest(encoder: ResNeXtEncoder, image: Tensor) -> Tensor:
    with torch.no_grad():
        return encoder(image)[-1]


@pytest.mark.parametrize("prefix", ["", "encoder.", "backbone.", "module."])
@pytest.mark.parametrize("counters", [True, False])
def test_loads(tmp_path: Path, prefix: str, counters: bool) -> None:
    kept = {n: v for n, v in imagenet().items() if counters or not n.endswith("num_batches_tracked")}
    encoder = make(2)
    load_encoder_weights(encoder, file_of(tmp_path, {prefix + n: v for n, v in kept.items()}))
    image = torch.rand(1, 3, 64, 64)
    torch.testing.assert_close(deepest(encoder, image), deepest(make(1), image), rtol=0, atol=0)


@pytest.mark.parametrize("slices", [1, 3, 5, 7])
def test_equal_slices_give_what_a_gray_picture_gave(tmp_path: Path, slices: int) -> None:
    encoder = make(2, in_channels=slices)
    load_encoder_weights(encoder, file_of(tmp_path, imagenet()))
    gray = torch.rand(1, 1, 64, 64)
    actual = deepest(encoder, gray.expand(-1, slices, -1, -1))
    torch.testing.assert_close(actual, deepest(make(1), gray.expand(-1, 3, -1, -1)), rtol=1e-3, atol=1e-5)


def test_first_convolution_by_hand(tmp_path: Path) -> None:
    # 3 / 5 of the mean of 1, 2 and 6 is 9 / 5; three slices keep the colours' own
    state = imagenet()
    state["conv1.weight"] = torch.tensor([1.0, 2.0, 6.0]).view(1, 3, 1, 1).expand(WIDTH, 3, 7, 7).clone()
    for slices, expected in ((5, [1.8] * 5), (1, [9.0]), (3, [1.0, 2.0, 6.0])):
        encoder = make(2, in_channels=slices)
        load_encoder_weights(encoder, file_of(tmp_path, state))
        assert encoder.conv1.weight[0, :, 3, 3].tolist() == pytest.approx(expected)


def test_file_of_as_many_slices(tmp_path: Path) -> None:
    source, encoder = make(1, in_channels=5), make(2, in_channels=5)
    load_encoder_weights(encoder, file_of(tmp_path, source.state_dict()))
    assert torch.equal(encoder.conv1.weight, source.conv1.weight)


def test_through_the_network(tmp_path: Path) -> None:
    network = ResNeXtUNet(width=WIDTH, weights=file_of(tmp_path, imagenet()))
    assert torch.equal(network.encoder.layer4[0].conv2.weight, make(1).layer4[0].conv2.weight)
    assert network.encoder.conv1.weight.shape == (WIDTH, 5, 7, 7)


def check(tmp_path: Path, state: dict[str, Tensor], match: str) -> None:
    path, encoder = file_of(tmp_path, state), make(2, in_channels=5)
    before = {name: value.clone() for name, value in encoder.state_dict().items()}
    with pytest.raises(InputError, match=match) as error:
        load_encoder_weights(encoder, path)
    lines = str(error.value).splitlines()
    assert lines[0] == str(path)
    assert len(lines) == 3
    assert all(torch.equal(before[name], value) for name, value in encoder.state_dict().items())


def test_another_depth(tmp_path: Path) -> None:
    check(tmp_path, make(1, backbone="resnext101_32x4d").state_dict(), "unexpected .first layer3.6.conv1")


def test_squeeze_and_excitation(tmp_path: Path) -> None:
    state = imagenet() | {"layer1.0.se.fc1.weight": torch.zeros(1)}
    check(tmp_path, state, "1 unexpected .first layer1.0.se.fc1.weight")


def test_no_groups(tmp_path: Path) -> None:
    state = imagenet()
    state["layer1.0.conv2.weight"] = torch.zeros(8, 8, 3, 3)  # a plain ResNet's
    check(tmp_path, state, r"layer1.0.conv2.weight is \(8, 8, 3, 3\) in the file")


@pytest.mark.parametrize("first", [torch.zeros(WIDTH, 4, 7, 7), torch.zeros(WIDTH)])
def test_first_convolution_of_neither_kind(tmp_path: Path, first: Tensor) -> None:
    check(tmp_path, imagenet() | {"conv1.weight": first}, "conv1.weight is .*\nName a file for 3 colours")


def test_missing_part(tmp_path: Path) -> None:
    for name in ("conv1.weight", "layer4.2.bn3.running_mean"):
        check(tmp_path, {n: v for n, v in imagenet().items() if n != name}, f"1 missing .first {name}")


def test_whole_network_is_no_encoder(tmp_path: Path) -> None:
    check(tmp_path, ResNeXtUNet(width=WIDTH).state_dict(), "weights of another network")


def test_no_file_and_no_weights(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file of weights"):
        load_encoder_weights(make(1), tmp_path / "none.pth")
    (tmp_path / "text.pth").write_text("no weights")
    with pytest.raises(InputError, match="is not a file of weights"):
        load_encoder_weights(make(1), tmp_path / "text.pth")
