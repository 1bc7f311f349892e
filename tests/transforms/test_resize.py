# SPDX-License-Identifier: Apache-2.0
import torch

from tomobundles.networks import ResizedNetwork
from tomobundles.transforms import ResizeStackd


class Identity(torch.nn.Module):
    def forward(self, stacks):
        self.seen = stacks
        return {"segmentation": stacks}


def test_training_and_inference_see_the_same_image():
    stack = torch.randn(3, 33, 47)
    resized = ResizeStackd(["image"], size=[16, 24])({"image": stack})["image"]
    network = ResizedNetwork(Identity(), size=(16, 24))
    assert network(stack[None])["segmentation"].shape[-2:] == (33, 47)
    assert torch.equal(network.network.seen[0], resized)


def test_labels_keep_their_values():
    label = torch.randint(0, 4, (1, 30, 30), dtype=torch.uint8)
    resized = ResizeStackd("label", size=[10, 10])({"label": label})["label"]
    assert resized.dtype == torch.uint8
    assert torch.equal(resized, label[:, 1::3, 1::3])  # the middle of each 3 x 3 block
