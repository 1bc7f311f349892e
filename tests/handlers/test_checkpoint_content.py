# SPDX-License-Identifier: Apache-2.0
"""What checkpoints hold, how they are written and read."""

from __future__ import annotations

import random
import subprocess
import sys
from collections import OrderedDict
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from monai.data import MetaTensor
from torch import nn

from tomobundles.handlers.checkpoint_content import (
    FORMAT,
    bare_module,
    load_checkpoint,
    plain,
    restore_rng_state,
    rng_state,
    save_atomic,
)
from tomobundles.utils import InputError


def test_plain_values_stay():
    state = {"a": [1, 2.5, "x", None, True], 3: (1, {"b": float("inf")})}
    assert plain(state) == state


def test_other_values_become_plain(tmp_path):
    state = OrderedDict(
        a=np.float64(1.5), b=np.int64(2), c=MetaTensor(torch.ones(2)), d=nn.Parameter(torch.zeros(1))
    )
    result = plain(state)
    assert [type(value) for value in result.values()] == [float, int, torch.Tensor, torch.Tensor]
    assert not result["d"].requires_grad
    torch.save(result, tmp_path / "x.pt")
    assert torch.load(tmp_path / "x.pt", weights_only=True)["a"] == 1.5


def test_objects_are_refused():
    with pytest.raises(TypeError, match="tensors, numbers and strings, not Fraction"):
        plain({"a": [Fraction(1, 2)]})


def test_states_of_common_optimizers_and_schedules_are_plain(tmp_path):
    parameter = nn.Parameter(torch.ones(2))
    for make_optimizer in (torch.optim.Adam, torch.optim.AdamW, torch.optim.SGD):
        optimizer = make_optimizer([parameter], lr=0.1)
        schedules = torch.optim.lr_scheduler
        for schedule in (
            schedules.PolynomialLR(optimizer, 5, 0.9),
            schedules.StepLR(optimizer, 20),
            schedules.CosineAnnealingLR(optimizer, 5),
            schedules.LambdaLR(optimizer, lambda epoch: 0.9**epoch),
            schedules.ReduceLROnPlateau(optimizer),
        ):
            parameter.sum().backward()
            optimizer.step()
            torch.save(plain([optimizer.state_dict(), schedule.state_dict()]), tmp_path / "x.pt")
            torch.load(tmp_path / "x.pt", weights_only=True)


def test_wrappers_come_off():
    network = nn.Sequential(nn.Linear(1, 1))
    assert bare_module(network) is network
    assert bare_module(nn.DataParallel(network)) is network
    assert bare_module(torch.compile(nn.DataParallel(network))) is network


def test_a_part_named_module_is_no_wrapper():
    network = nn.Module()
    network.module = nn.Linear(1, 1)
    assert bare_module(network) is network


def test_random_states_come_back(tmp_path):
    random.gauss(0, 1)  # leaves a second value waiting, which is part of the state
    np.random.normal()
    save_atomic(plain(rng_state()), tmp_path / "rng.pt")
    first = [random.gauss(0, 1), random.random(), np.random.normal(), np.random.rand(), torch.rand(1).item()]
    restore_rng_state(torch.load(tmp_path / "rng.pt", weights_only=True))
    again = [random.gauss(0, 1), random.random(), np.random.normal(), np.random.rand(), torch.rand(1).item()]
    assert first == again


@pytest.mark.parametrize(("stored", "present", "restored"), [(2, 2, True), (2, 1, False), (0, 0, True)])
def test_gpu_states_need_the_same_gpus(monkeypatch, stored, present, restored):
    calls = []
    monkeypatch.setattr(torch.cuda, "device_count", lambda: present)
    monkeypatch.setattr(torch.cuda, "set_rng_state_all", calls.append)
    restore_rng_state(rng_state() | {"cuda": [torch.zeros(1)] * stored})
    assert bool(calls) is restored


def test_a_checkpoint_is_read(tmp_path):
    save_atomic({"format": FORMAT, "epoch": 3}, tmp_path / "last.pt")
    assert load_checkpoint(tmp_path / "last.pt")["epoch"] == 3


def test_no_such_file(tmp_path):
    with pytest.raises(InputError, match=r"last\.pt\nno such checkpoint\nGive the last\.pt"):
        load_checkpoint(tmp_path / "last.pt")


@pytest.mark.parametrize(
    "content",
    [b"", b"not a checkpoint", b"PK\x03\x04 half a zip", b"\x80\x02"],
    ids=["empty", "text", "zip", "pickle"],
)
def test_an_unreadable_file(tmp_path, content):
    (tmp_path / "last.pt").write_bytes(content)
    with pytest.raises(InputError, match="is not a readable checkpoint"):
        load_checkpoint(tmp_path / "last.pt")


def test_pickled_objects_are_not_loaded(tmp_path):
    torch.save({"format": FORMAT, "network": nn.Linear(1, 1)}, tmp_path / "last.pt")
    with pytest.raises(InputError, match="is not a readable checkpoint"):
        load_checkpoint(tmp_path / "last.pt")


@pytest.mark.parametrize("content", [[1, 2], {"weight": torch.ones(1)}])
def test_another_kind_of_file(tmp_path, content):
    torch.save(content, tmp_path / "model.pt")
    with pytest.raises(InputError, match="holds no training state"):
        load_checkpoint(tmp_path / "model.pt")


def test_a_file_is_whole_after_kills(tmp_path):
    """A process that saves without pause is killed at random moments; the file is the one before or after."""
    worker = Path(__file__).with_name("saving_worker.py")
    result = subprocess.run(
        [sys.executable, worker, tmp_path, "atomic", "10"], capture_output=True, text=True, timeout=120
    )
    assert result.returncode == 0, result.stderr
    assert result.stdout.split() == ["whole"] * 10
