# SPDX-License-Identifier: Apache-2.0
"""An evaluator for several processes, each with its share of the volumes."""

from __future__ import annotations

import ignite.distributed as idist
from ignite.engine import Events
from monai.engines import SupervisedEvaluator
from torch import distributed

from .checkpoint_content import bare_module


class DistributedEvaluator(SupervisedEvaluator):
    """MONAI's SupervisedEvaluator, for ranks whose shares differ, or are empty.

    - A rank without a volume still takes part in the gathering of metrics; MONAI's skips its run, and the
      others would wait for ever.
    - Before an evaluation all ranks take over rank 0's buffers (running means of batch norm), which differ
      after a step of training. So every volume is inferred with the network that rank 0 saves.

    Give it the network itself, not DistributedDataParallel, whose forward waits for the other ranks.
    With one process it is MONAI's.
    """

    def run(self, global_epoch: int = 1) -> None:
        """Evaluate.

        Args:
            global_epoch: the epoch of the training, for the log.
        """
        if idist.get_world_size() > 1:
            for buffer in bare_module(self.network).buffers():
                distributed.broadcast(buffer, src=0)
        if self.state.epoch_length == 0 and idist.get_world_size() > 1:
            self._run_empty(global_epoch)
        else:
            super().run(global_epoch)

    def _run_empty(self, global_epoch: int) -> None:
        self.state.epoch = self.state.max_epochs = global_epoch
        self.state.iteration = 0
        for event in (Events.STARTED, Events.EPOCH_STARTED, Events.EPOCH_COMPLETED, Events.COMPLETED):
            self.fire_event(event)
