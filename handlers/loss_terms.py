# SPDX-License-Identifier: Apache-2.0
"""Each term of the loss by its name, averaged over the epoch."""

from __future__ import annotations

import torch
from ignite.engine import Engine, Events
from torch import Tensor


class LossTermsHandler:
    """Put the mean loss and the mean of each of its terms over an epoch into ``engine.state.metrics``.

    Reads ``engine.state.output["loss"]`` and, where the loss has it, ``engine.loss_function.terms``, a
    dictionary of scalars from the last iteration. Writes ``loss`` and ``loss_<term>``, plain floats, so that
    MONAI's StatsHandler, TensorBoardStatsHandler and MLFlowHandler log them by name.

    The output is left as a list of one dictionary: of a list, as of a trainer that decollates, MONAI's
    ``from_engine(["loss"], first=True)`` gives the loss itself, of a dictionary a tuple, on which
    ``--tracking mlflow`` fails.

    It may stand anywhere in the list: it writes as the last iteration of an epoch ends, before any handler
    hears of the epoch's end. (Only where the length of an epoch is unknown does it write at the epoch's end;
    it should then stand before those that read.) Values are this process's own; under distributed training
    they are rank 0's.
    """

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self._counts: dict[str, int] = {}

    def attach(self, engine: Engine) -> None:
        """Attach to a trainer.

        Args:
            engine: a MONAI trainer.
        """
        engine.add_event_handler(Events.EPOCH_STARTED, self._reset)
        engine.add_event_handler(Events.ITERATION_COMPLETED, self._accumulate)
        engine.add_event_handler(Events.EPOCH_COMPLETED, self._write)

    def _reset(self) -> None:
        self._sums, self._counts = {}, {}

    def _accumulate(self, engine: Engine) -> None:
        if isinstance(engine.state.output, dict):
            engine.state.output = [engine.state.output]
        terms = getattr(getattr(engine, "loss_function", None), "terms", {})
        values = {"loss": last_loss(engine)} | {f"loss_{name}": value for name, value in terms.items()}
        for name, value in values.items():
            # sums stay on the device: a conversion to float in each iteration would make the GPU wait
            term = torch.as_tensor(value).detach().double()
            self._sums[name] = self._sums[name] + term if name in self._sums else term
            self._counts[name] = self._counts.get(name, 0) + 1
        length = engine.state.epoch_length
        if length and engine.state.iteration % length == 0:
            self._write(engine)

    def _write(self, engine: Engine) -> None:
        for name, total in self._sums.items():
            engine.state.metrics[name] = float(total) / self._counts[name]


def last_loss(engine: Engine) -> Tensor:
    """The loss of the last iteration from a trainer's output, decollated or not.

    Args:
        engine: a MONAI trainer after an iteration.
    """
    output = engine.state.output
    loss = (output[0] if isinstance(output, list) else output)["loss"]
    return torch.as_tensor(loss).detach()
