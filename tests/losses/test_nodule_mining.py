# SPDX-License-Identifier: Apache-2.0
"""Pool and hardest negatives."""

from __future__ import annotations

import torch

from tomobundles.losses.nodule_mining import draw_pool, hardest


def test_the_pool_holds_negatives_of_each_crop() -> None:
    torch.manual_seed(0)
    state = torch.zeros(3, 2, 4, 4, 4, dtype=torch.int8)
    state[0, 0] = -1
    state[1, 1] = 1
    pool = draw_pool(state, 10)
    assert len(pool.unique()) == len(pool) == 30
    assert not state.flatten()[pool].any()
    assert (pool // 128).bincount().tolist() == [10, 10, 10]


def test_all_where_there_are_fewer() -> None:
    state = torch.full((2, 1, 2, 2, 2), -1, dtype=torch.int8)
    state[1, 0, 0, 0, :] = 0
    assert sorted(draw_pool(state, 800).tolist()) == [8, 9]
    assert len(draw_pool(torch.full_like(state, -1), 800)) == 0


def test_each_negative_has_the_same_chance() -> None:
    # 2000 draws of 2 out of 8: each in a quarter, 500 +- 4 standard deviations of 19.4
    generator = torch.Generator().manual_seed(0)
    state = torch.zeros(2000, 8, dtype=torch.int8)
    counts = (draw_pool(state, 2, generator=generator) % 8).bincount()
    assert counts.sum() == 4000
    assert (counts - 500).abs().max() < 80


def test_a_generator_repeats_the_draw() -> None:
    state = torch.zeros(1, 1000, dtype=torch.int8)
    one, two = (draw_pool(state, 20, generator=torch.Generator().manual_seed(3)) for _ in range(2))
    assert torch.equal(one, two)
    assert not torch.equal(draw_pool(state, 20), draw_pool(state, 20))


def test_hardest() -> None:
    logits = torch.tensor([0.0, 3.0, -1.0, 2.0], requires_grad=True)
    assert hardest(logits, 2).tolist() == [1, 3]
    assert hardest(logits, 9).tolist() == [1, 3, 0, 2]
    assert hardest(logits[:0], 2).tolist() == []
