# SPDX-License-Identifier: Apache-2.0
"""Run after the other handlers, wherever a handler stands in a configuration's list."""

from __future__ import annotations

from collections.abc import Callable

from ignite.engine import Engine, Events


def attach_last(engine: Engine, event: Events, function: Callable[[Engine], None]) -> None:
    """Call ``function`` at ``event`` after all handlers that were attached before the run began.

    ignite calls handlers in the order of registration. This one registers when the run starts, so that
    validation and learning rate steps of the same epoch are over, whatever the order in the list.

    Args:
        engine: the engine whose event it is.
        event: the event.
        function: takes the engine.
    """

    def register() -> None:
        if not engine.has_event_handler(function, event):
            engine.add_event_handler(event, function)

    engine.add_event_handler(Events.STARTED, register)
