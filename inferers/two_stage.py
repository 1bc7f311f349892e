# SPDX-License-Identifier: Apache-2.0
"""Detector, then a second network that looks at each candidate once more."""

from __future__ import annotations

import hashlib
from collections.abc import Hashable

import torch
from monai.inferers import Inferer
from torch import Tensor, nn

from ..transforms.candidate_crops import cut_crops
from ..utils import InputError
from .bare_network import bare_network
from .candidate_fusion import check_fusion, fuse
from .nodule_inferer import NoduleInferer
from .nodule_padding import check_lung_box
from .prepared_network import weight_marks

Detection = dict[str, Tensor]


class TwoStageInferer(Inferer):
    """Find candidates with a detector, judge the best of them with a classifier, fuse both words.

    The classifier runs in float32, where its weights are, in evaluation mode; its mode is set back after.
    While it is trained, the detector stays the same: ``cache`` then keeps its candidates of each scan, some
    kB.

    Args:
        detector: trained; it runs as ``inferer`` says.
        inferer: finds candidates.
        size: voxels of a crop along each axis; the candidate's centre is its middle.
        candidates: the best so many of a scan are judged; the others rank behind them (:func:`fuse`).
        fusion: "logit_mean", "mean", "product" or "second", see :func:`fuse`.
        weight: of the classifier in the fusion.
        batch_size: crops at a time.
        cache: keep the detector's candidates by the scan's gray values and the detector's weights.

    Raises:
        InputError: for an unknown fusion or a weight outside 0-1.
    """

    def __init__(
        self,
        detector: nn.Module,
        inferer: NoduleInferer,
        *,
        size: int = 32,
        candidates: int = 50,
        fusion: str = "logit_mean",
        weight: float = 0.5,
        batch_size: int = 16,
        cache: bool = False,
    ) -> None:
        super().__init__()
        check_fusion(fusion, weight)
        self.detector = detector
        self.inferer = inferer
        self.size = size
        self.candidates = candidates
        self.fusion = fusion
        self.weight = weight
        self.batch_size = batch_size
        self._cache: dict[Hashable, Detection] | None = {} if cache else None

    def __call__(self, inputs: Tensor, network: nn.Module) -> Detection:
        """Find and judge the candidates of a scan.

        Args:
            inputs: (1, 1, H, W, D) lung box, uint8 gray, or floats from -1 to 1.
            network: crops (B, 1, size, size, size) to logits (B, 1).

        Returns:
            As ``NoduleInferer``, sorted by the fused "probability"; "detector" and "classifier" (N,) are what
            each said. "classifier" is NaN for candidates that were not judged.

        Raises:
            InputError: as ``NoduleInferer``, or if the classifier's output has another shape or is not
                finite.
        """
        found = self._detect(inputs)
        judged = self.judge(inputs, found["points"][: self.candidates, :3], network)
        probability = fuse(found["detector"], judged, fusion=self.fusion, weight=self.weight)
        unseen = judged.new_full((len(probability) - len(judged),), torch.nan)
        order = torch.argsort(probability, descending=True, stable=True)
        result = {**found, "probability": probability, "classifier": torch.cat([judged, unseen])}
        return {key: value[order] for key, value in result.items()}

    @torch.no_grad()
    def judge(self, inputs: Tensor, points: Tensor, network: nn.Module) -> Tensor:
        """The classifier's probabilities (N,) float32 of points (N, 3) in voxels of the lung box."""
        gray, bare = _gray(check_lung_box(inputs)), bare_network(network)
        device = next((weight.device for weight in bare.parameters()), torch.device("cpu"))
        modes = {module: module.training for module in bare.modules()}
        bare.eval()
        try:
            batches = points.split(self.batch_size) if len(points) else ()
            logits = [_logits(bare(cut_crops(gray, batch, size=self.size).to(device))) for batch in batches]
        finally:
            for module, mode in modes.items():
                module.training = mode
        return torch.cat([torch.empty(0), *logits]).sigmoid()

    def _detect(self, inputs: Tensor) -> Detection:
        if self._cache is None:
            return self.inferer(inputs, self.detector)
        key = (_digest(check_lung_box(inputs)), *weight_marks(bare_network(self.detector)))
        if key not in self._cache:
            self._cache[key] = self.inferer(inputs, self.detector)
        return self._cache[key]


def _gray(image: Tensor) -> Tensor:
    """(H, W, D) uint8: the inverse of ``gray_to_input`` where floats are given."""
    scan = image[0, 0].cpu()
    return scan if scan.dtype == torch.uint8 else (scan * 128 + 128).round().clamp(0, 255).to(torch.uint8)


def _logits(output: Tensor) -> Tensor:
    if output.ndim != 2 or output.shape[1] != 1 or not bool(output.isfinite().all()):
        raise InputError(
            f"the classifier's output of shape {tuple(output.shape)} is not one finite number a candidate",
            remedy="Give a sound network with logits (B, 1), such as NoduleClassifier.",
        )
    return output[:, 0].float().cpu()


def _digest(image: Tensor) -> Hashable:
    data = image.cpu().contiguous()
    digest = hashlib.blake2b(data.view(torch.uint8).numpy(), digest_size=16).hexdigest()
    return tuple(data.shape), data.dtype, digest
