# SPDX-License-Identifier: Apache-2.0
from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest
import torch
from torch import nn

from tomobundles.networks import (
    FusionNetwork,
    GridUNet,
    RepeatedGray,
    ResizedNetwork,
    initial_weights,
    load_fusion_weights,
    load_weights,
)
from tomobundles.utils import InputError

OPTIONS = {"channels": (2, 3), "presence_classes": 2}


class Bomb:
    """A pickle that makes a folder when it is loaded."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self.folder),)


def make(seed: int, **options: object) -> GridUNet:
    torch.manual_seed(seed)
    return GridUNet(**(OPTIONS | options))


def same(first: nn.Module, second: nn.Module) -> bool:
    pairs = zip(first.state_dict().items(), second.state_dict().items(), strict=True)
    return all(a == b and torch.equal(x, y) for (a, x), (b, y) in pairs)


def check_message(error: pytest.ExceptionInfo, path: Path) -> None:
    lines = str(error.value).splitlines()
    assert lines[0] == str(path)
    assert len(lines) == 3
    assert "weights_only" not in str(error.value)


@pytest.mark.parametrize(
    ("wrap", "key"),
    [
        (lambda state: state, None),
        (lambda state: {"network": state, "optimizer": {}, "epoch": 3}, None),
        (lambda state: {"model": state}, None),
        (lambda state: {"state_dict": state}, None),
        (lambda state: {"best": state, "network": {}}, "best"),
        (lambda state: {f"module.{name}": value for name, value in state.items()}, None),
        (lambda state: {f"model.{name}": value for name, value in state.items()}, None),
        (lambda state: {f"module._orig_mod.{name}": value for name, value in state.items()}, None),
        (lambda state: {"network": {f"module.{name}": value for name, value in state.items()}}, None),
        (lambda state: {n: v for n, v in state.items() if not n.endswith("num_batches_tracked")}, None),
    ],
)
def test_loads(tmp_path: Path, wrap, key: str | None) -> None:
    source, network = make(0), make(1)
    torch.save(wrap(source.state_dict()), tmp_path / "model.pt")
    assert not same(source, network)
    assert load_weights(network, tmp_path / "model.pt", key=key) is network
    assert same(source, network)
    assert network.training


def test_path_as_text(tmp_path: Path) -> None:
    torch.save(make(0).state_dict(), tmp_path / "model.pt")
    assert same(load_weights(make(1), str(tmp_path / "model.pt")), make(0))


def test_with_and_without_repeated_gray(tmp_path: Path) -> None:
    torch.save(make(0).state_dict(), tmp_path / "bare.pt")
    torch.save(RepeatedGray(make(0)).state_dict(), tmp_path / "wrapped.pt")
    for name in ("bare.pt", "wrapped.pt"):
        for load in (load_weights, lambda network, path: initial_weights(network, path=path)):
            wrapped = RepeatedGray(make(1))
            assert load(wrapped, tmp_path / name) is wrapped
            assert same(wrapped.network, make(0))
            assert same(load(make(1), tmp_path / name), make(0))


def test_a_network_translates_names(tmp_path: Path) -> None:
    class Translating(nn.Linear):
        @staticmethod
        def rename_weights(state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
            return {name.replace("w", "weight"): value for name, value in state.items()}

    torch.save({"w": torch.full((1, 2), 3.0), "bias": torch.zeros(1)}, tmp_path / "model.pt")
    assert load_weights(Translating(2, 1), tmp_path / "model.pt").weight.tolist() == [[3.0, 3.0]]
    with pytest.raises(InputError, match=r"1 missing \(first weight\), 1 unexpected \(first w\)"):
        load_weights(nn.Linear(2, 1), tmp_path / "model.pt")


def test_with_and_without_a_resized_network(tmp_path: Path) -> None:
    torch.save(make(0).state_dict(), tmp_path / "bare.pt")
    torch.save(ResizedNetwork(make(0), size=(8, 8)).state_dict(), tmp_path / "wrapped.pt")
    for name in ("bare.pt", "wrapped.pt"):
        wrapped = ResizedNetwork(make(1), size=None)
        assert load_weights(wrapped, tmp_path / name) is wrapped
        assert same(wrapped.network, make(0))
        assert same(load_weights(make(1), tmp_path / name), make(0))


def test_not_strict_takes_what_fits(tmp_path: Path) -> None:
    source = make(0, presence_classes=0)
    torch.save(source.state_dict(), tmp_path / "model.pt")
    network = load_weights(make(1), tmp_path / "model.pt", strict=False)
    assert torch.equal(network.heads[0].weight, source.heads[0].weight)
    assert torch.equal(network.presence.conv.weight, make(1).presence.conv.weight)


@pytest.mark.parametrize("name", ["missing.pt", "."])
def test_no_such_file(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match="no such file of weights") as error:
        load_weights(make(0), tmp_path / name)
    check_message(error, tmp_path / name)


@pytest.mark.parametrize("modern", [True, False])
def test_pickle_bomb_does_not_go_off(tmp_path: Path, modern: bool) -> None:
    bomb = {"network": make(0).state_dict(), "extra": Bomb(tmp_path / "boom")}
    torch.save(bomb, tmp_path / "model.pt", _use_new_zipfile_serialization=modern)
    with pytest.raises(InputError, match="objects that could run code") as error:
        load_weights(make(0), tmp_path / "model.pt")
    check_message(error, tmp_path / "model.pt")
    assert not (tmp_path / "boom").exists()


def damaged(path: Path) -> None:
    torch.save(make(0).state_dict(), path)
    path.write_bytes(path.read_bytes()[:2000])


@pytest.mark.parametrize(
    "write",
    [
        lambda path: path.write_bytes(b""),
        lambda path: path.write_bytes(b"not weights at all"),
        lambda path: path.write_bytes(pickle.dumps(Path("x"), protocol=2)),
        damaged,
    ],
)
def test_not_a_file_of_weights(tmp_path: Path, write) -> None:
    path = tmp_path / "model.pt"
    write(path)
    with pytest.raises(InputError, match="is not a file of weights") as error:
        load_weights(make(0), path)
    check_message(error, path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (torch.zeros(3), "is not a network's weights: it holds one Tensor"),
        ([1, 2], "is not a network's weights: it holds one list"),
        ({"epoch": 3, "loss": 0.5}, "is not a network's weights: it holds epoch, loss\n"),
        ({str(n): n for n in range(7)}, "it holds 0, 1, 2, 3, 4 and 2 more"),
        ({0: torch.zeros(3)}, "is not a network's weights: it holds 0\n"),
        ({"network": {"epoch": 3}}, "is not a network's weights: it holds epoch\n"),
    ],
)
def test_no_weights_in_it(tmp_path: Path, content: object, message: str) -> None:
    torch.save(content, tmp_path / "model.pt")
    with pytest.raises(InputError, match=message) as error:
        load_weights(make(0), tmp_path / "model.pt")
    check_message(error, tmp_path / "model.pt")


@pytest.mark.parametrize(
    ("content", "holds"), [({"network": {}}, "network"), ([], "one list"), ({}, "nothing")]
)
def test_key_that_is_not_there(tmp_path: Path, content: object, holds: str) -> None:
    torch.save(content, tmp_path / "model.pt")
    with pytest.raises(InputError, match=rf"has nothing under 'best'\nIt holds {holds}\."):
        load_weights(make(0), tmp_path / "model.pt", key="best")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        # A presence head is two tensors; a dilated layer is two, and five of its batch norm.
        ({"presence_classes": 0}, r"names 2 missing \(first presence\.conv\.weight\)\n"),
        ({"dilations": (1,)}, r"names 7 unexpected \(first centre\.layers\.0\.conv\.weight\)\n"),
        ({"presence_classes": 3}, r"presence\.conv\.weight is \(3, 3, 1, 1\) in the file, \(2, 3, 1, 1\) in"),
    ],
)
def test_weights_of_another_network(tmp_path: Path, options: dict, message: str) -> None:
    torch.save(make(0, **options).state_dict(), tmp_path / "model.pt")
    network = make(1)
    with pytest.raises(InputError, match=message) as error:
        load_weights(network, tmp_path / "model.pt")
    check_message(error, tmp_path / "model.pt")
    assert same(network, make(1))


@pytest.mark.parametrize("strict", [True, False])
def test_nothing_fits(tmp_path: Path, strict: bool) -> None:
    torch.save({"weight": torch.zeros(2)}, tmp_path / "model.pt")
    with pytest.raises(InputError, match=r"missing \(first .*\), 1 unexpected \(first weight\)"):
        load_weights(make(0), tmp_path / "model.pt", strict=strict)


def test_empty_state_dict(tmp_path: Path) -> None:
    torch.save({}, tmp_path / "model.pt")
    with pytest.raises(InputError, match="weights of another network"):
        load_weights(make(0), tmp_path / "model.pt")


def test_fusion(tmp_path: Path) -> None:
    paths = [tmp_path / "first.pt", str(tmp_path / "second.pt")]
    torch.save(make(0).state_dict(), paths[0])
    torch.save({"network": make(1, nested=False).state_dict()}, paths[1])
    fusion = FusionNetwork([make(2), make(3, nested=False)])
    assert load_fusion_weights(fusion, paths) is fusion
    assert same(fusion.networks[0], make(0))
    assert same(fusion.networks[1], make(1, nested=False))


@pytest.mark.parametrize(("paths", "count"), [(["a.pt"], 1), ([], 0), ("ab", 1), (Path("a.pt"), 1)])
def test_fusion_with_another_number_of_files(paths: object, count: int) -> None:
    with pytest.raises(InputError, match=f"{count} files of weights for a fusion of 2 networks"):
        load_fusion_weights(FusionNetwork([make(0), make(1)]), paths)
