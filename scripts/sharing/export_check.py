# SPDX-License-Identifier: Apache-2.0
"""Whether an exported network answers as the Python one does."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from ...networks.export_form import SINGLE_OUTPUT, ExportForm
from ...utils import InputError

TOLERANCE = 1e-4
Answer = Tensor | Mapping[str, Tensor]
# Batch and sizes, in the units of ExportForm.example, none of them those of the export itself.
_TRIALS = ((1, (2, 4, 3)), (3, (4, 2, 2)))


def check_export(form: ExportForm, call: Callable[..., Answer], *, name: str) -> float:
    """Compare an exported network with the Python one on random images of two other sizes and batches.

    Args:
        form: what was exported.
        call: the exported network; takes the same tensors.
        name: of the format, for the message.

    Returns:
        The greatest difference found, see :func:`difference`.

    Raises:
        InputError: if it exceeds 1e-4, or is no number.
    """
    worst = 0.0
    for seed, (batch, sizes) in enumerate(_TRIALS, 1):
        inputs = form.example(batch, sizes=sizes, seed=seed)
        with torch.no_grad():
            found = difference(form(*inputs), call(*inputs))
        if not found <= TOLERANCE:  # also where it is NaN
            raise InputError(
                f"the {name} network differs by {found:.2g} from the Python one; {TOLERANCE:g} is allowed",
                remedy="Nothing was written. Export with another version of torch or of the exporter.",
            )
        worst = max(worst, found)
    return worst


def difference(expected: Answer, found: Answer) -> float:
    """The greatest difference of probabilities, or of outputs in units of the greatest one if that is more.

    Probabilities are the softmax of "segmentation" and the sigmoid of everything else.

    Returns:
        Infinity where names or shapes differ.
    """
    ours, theirs = _named(expected), _named(found)
    if list(ours) != list(theirs) or any(ours[key].shape != theirs[key].shape for key in ours):
        return float("inf")
    return max(_difference_of(key, ours[key].float(), theirs[key].float()) for key in ours)


def _named(answer: Answer) -> dict[str, Tensor]:
    return dict(answer) if isinstance(answer, Mapping) else {SINGLE_OUTPUT: answer}


def _difference_of(name: str, ours: Tensor, theirs: Tensor) -> float:
    if name == "segmentation":
        probability = (ours.softmax(dim=1) - theirs.softmax(dim=1)).abs().max()
    else:
        probability = (ours.sigmoid() - theirs.sigmoid()).abs().max()
    relative = (ours - theirs).abs().max() / ours.abs().max().clamp(min=1)
    return torch.stack([probability, relative]).max().item()  # torch's max keeps NaN
