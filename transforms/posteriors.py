# SPDX-License-Identifier: Apache-2.0
"""A study's logits to probabilities: per slice, with and without its neighbours, and for the patient."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from typing import Any, Protocol

import torch
from monai.transforms import Transform
from torch import Tensor


class Calibrator(Protocol):
    """What maps posteriors to calibrated probabilities; see ``metrics.Calibration``."""

    def apply(self, level: str, probability: Any) -> Any:
        """Map (R,) or (R, D) probabilities of a level: "raw", "context" or "patient"."""


class SlicePosteriorsd(Transform):
    """Add probabilities to a prediction that holds logits.

    Both the slice's own logits and those with context are kept to the end: smoothing over neighbours can
    erase a bleed that is on one slice alone, and the reader must be able to see that.

    The row ``any`` is 1 - prod(1 - p) over the classes, which takes them for independent; calibration mends
    what that overstates.

    Args:
        posterior: score in [0, 1] (sigmoid of the logit) -> posterior probability, see
            ``losses.AsymmetricPosterior``; None where scores are posteriors already (cross entropy).
        context_gain: what logits with context are divided by before that: the sum of a kernel that the
            network was not trained with, 1 where it was.
        calibration: calibrated on held-out patients; None leaves probabilities as they are.
        pred_key: key of the prediction, a dictionary with "logits" (K, D) and, where the network has context,
            "context_logits" (K, D).
    """

    def __init__(
        self,
        *,
        posterior: Callable[[Tensor], Tensor] | None = None,
        context_gain: float = 1.0,
        calibration: Calibrator | None = None,
        pred_key: str = "pred",
    ) -> None:
        self.posterior = posterior
        self.context_gain = context_gain
        self.calibration = calibration
        self.pred_key = pred_key

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Return the sample with more in its prediction.

        Besides what it had: "score_raw" and "score" (K, D), sigmoids without and with context (the contest
        cuts the latter at 0.5); "raw" and "context" (K + 1, D) posteriors; "calibrated_raw" and "calibrated"
        (K + 1, D) probabilities; "patient" (K + 1,), the patient's; float32 all.
        """
        prediction = dict(data[self.pred_key])
        logits = _plain(prediction["logits"])
        context = _plain(prediction.get("context_logits", logits))
        prediction |= {"score_raw": logits.sigmoid(), "score": context.sigmoid()}
        prediction["raw"] = self._posteriors(logits)
        prediction["context"] = self._posteriors(context / self.context_gain)
        prediction["calibrated_raw"] = self._calibrate("raw", prediction["raw"])
        prediction["calibrated"] = self._calibrate("context", prediction["context"])
        prediction["patient"] = self._calibrate("patient", prediction["context"].amax(dim=1))
        return {**data, self.pred_key: prediction}

    def _posteriors(self, logits: Tensor) -> Tensor:
        scores = logits.sigmoid()
        return with_any(scores if self.posterior is None else self.posterior(scores))

    def _calibrate(self, level: str, probability: Tensor) -> Tensor:
        if self.calibration is None:
            return probability
        return torch.as_tensor(self.calibration.apply(level, probability)).float()


def with_any(probability: Tensor) -> Tensor:
    """Append the row ``any``, 1 - prod(1 - p), to (K, D) or (K,) probabilities."""
    none = (1 - probability).prod(dim=0, keepdim=True)
    return torch.cat([probability, 1 - none]).float()


def _plain(tensor: Tensor) -> Tensor:
    return (tensor.as_tensor() if hasattr(tensor, "as_tensor") else tensor).float()
