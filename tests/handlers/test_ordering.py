# SPDX-License-Identifier: Apache-2.0
"""Being called after the handlers that come later in the list."""

from __future__ import annotations

from ignite.engine import Engine, Events

from tomobundles.handlers.ordering import attach_last


def test_called_after_those_attached_later_and_once():
    engine, calls = Engine(lambda _engine, _batch: None), []
    attach_last(engine, Events.EPOCH_COMPLETED, last := lambda _engine: calls.append("last"))
    engine.add_event_handler(Events.EPOCH_COMPLETED, lambda _engine: calls.append("first"))
    engine.run([0], max_epochs=2)
    engine.state.max_epochs = None
    engine.run([0], max_epochs=1)  # a second start does not register it again
    assert calls == ["first", "last"] * 3
    assert engine.has_event_handler(last, Events.EPOCH_COMPLETED)


def test_several_keep_their_order():
    engine, calls = Engine(lambda _engine, _batch: None), []
    for name in "ab":
        attach_last(engine, Events.COMPLETED, lambda _engine, name=name: calls.append(name))
    engine.run([0])
    assert calls == ["a", "b"]
