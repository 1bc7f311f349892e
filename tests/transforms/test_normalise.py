# SPDX-License-Identifier: Apache-2.0
import pytest
import torch

from tomobundles.transforms import NormalizeStack, NormalizeStackd


def test_constants():
    stack = torch.tensor([[[0, 10], [20, 30]]], dtype=torch.uint8)
    normalised = NormalizeStack(10, 5)(stack)
    assert normalised.dtype == torch.float32
    assert normalised.tolist() == [[[-2, 0], [2, 4]]]
    assert stack.tolist() == [[[0, 10], [20, 30]]]


def test_input_in_float_is_not_changed():
    stack = torch.ones(1, 2, 2)
    NormalizeStack(1, 1)(stack)
    assert stack.eq(1).all()


def test_each_stack_of_a_batch_has_its_own_mean():
    batch = torch.stack([torch.arange(12.0).reshape(3, 2, 2), 100 * torch.arange(12.0).reshape(3, 2, 2)])
    normalised = NormalizeStack()(batch)
    torch.testing.assert_close(normalised[0], normalised[1])
    torch.testing.assert_close(normalised[0], NormalizeStack()(batch[0]))
    assert normalised[0].mean().abs() < 1e-6
    assert normalised[0].std(correction=0) == pytest.approx(1)


def test_one_gray_becomes_zero():
    assert NormalizeStack()(torch.full((1, 2, 2), 7)).eq(0).all()


def test_dictionary_version_shares_the_transform():
    sample = {"image": torch.ones(1, 2, 2), "label": torch.ones(1, 2, 2)}
    result = NormalizeStackd("image", normalize=NormalizeStack(0, 2))(sample)
    assert result["image"].eq(0.5).all()
    assert result["label"] is sample["label"]


@pytest.mark.parametrize("constants", [(1, None), (None, 1), (1, 0), (1, -1)])
def test_bad_constants(constants):
    with pytest.raises(ValueError, match="positive std"):
        NormalizeStack(*constants)
