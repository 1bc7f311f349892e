# SPDX-License-Identifier: Apache-2.0
"""One process alone writes to an experiment tracker."""

from __future__ import annotations

from typing import Any


def leave_tracking_to_rank0() -> None:
    """Make MONAI's MLFlowHandler do nothing in this process: it opens no store and attaches nothing.

    ``--tracking`` lays its handlers over the config before the config runs and knows no ranks: every process
    would write a run of its own into the same store.
    """
    from monai.handlers import MLFlowHandler  # slow to import where MLflow is installed

    MLFlowHandler.__init__ = _take_arguments
    MLFlowHandler.attach = _attach_nothing


def _take_arguments(self: Any, *args: Any, **kwargs: Any) -> None:
    """Open no store."""


def _attach_nothing(self: Any, engine: Any) -> None:
    """Hear of no event."""
