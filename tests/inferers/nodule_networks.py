# SPDX-License-Identifier: Apache-2.0
"""A detector whose answers can be worked out by hand."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional


class BlockMeans(nn.Module):
    """One anchor of 8 voxels: logit 20 * (mean of the cell's 4^3 voxels - 0.7), and fixed codes.

    ``smooth`` first averages over 5^3 voxels in ``fine``, which then sees two voxels more.
    """

    total_stride = 16
    fine_stride = 4

    def __init__(self, codes=(0.0, 0.0, 0.0, 0.0), *, smooth=False):
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(20.0))
        self.codes = nn.Parameter(torch.tensor(codes))
        self.smooth = _mean(5, padding=2) if smooth else nn.Identity()
        self.pool = _mean(4, stride=4)
        self.fine_margin = 2 if smooth else 0
        self.boxes = []
        self.sizes = []

    def fine(self, image):
        self.sizes.append((tuple(image.shape[2:]), image.dtype))
        return (self.pool(self.smooth(image)),)

    def coarse(self, features, box=None):
        self.boxes.append(box)
        logits = self.scale * (features[0] - 0.7)
        return torch.cat([logits, self.codes.view(1, 4, 1, 1, 1).expand(1, 4, *logits.shape[2:])], dim=1)

    def forward(self, image, box=None):
        return self.coarse(self.fine(image), box)


def _mean(size, **options):
    layer = nn.Conv3d(1, 1, size, bias=False, **options)
    nn.init.constant_(layer.weight, 1 / size**3)
    return layer


class BrightVoxels(nn.Module):
    """Logits 10 * input, of as many axes as it comes with; remembers the shapes and types it saw."""

    def __init__(self, channels=1):
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(10.0))
        self.channels = channels
        self.seen = []

    def forward(self, image):
        self.seen.append((tuple(image.shape), image.dtype, image.min().item()))
        logits = self.weight * image
        return torch.cat([torch.zeros_like(logits)] * (self.channels - 1) + [logits], dim=1)


def scan(shape, *blocks, gray=0):
    """(1, 1, H, W, D) uint8 with bright blocks (low, size, gray)."""
    image = torch.full((1, 1, *shape), gray, dtype=torch.uint8)
    for low, size, value in blocks:
        image[0, 0, low[0] : low[0] + size, low[1] : low[1] + size, low[2] : low[2] + size] = value
    return image


def unit(value):
    """Gray 0-255 to -1..1."""
    return (value - 128) / 128


def sigmoid(value):
    return functional.sigmoid(torch.tensor(float(value))).item()
