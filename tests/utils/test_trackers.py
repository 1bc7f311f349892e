# SPDX-License-Identifier: Apache-2.0
"""Ranks above 0 build no tracker, whatever ``--tracking`` laid over their config."""

from ignite.engine import Engine, Events
from monai.bundle import ConfigParser
from monai.handlers import MLFlowHandler

from tomobundles.utils.trackers import leave_tracking_to_rank0


def test_the_handler_of_the_config_does_nothing(monkeypatch, tmp_path):
    for name in ("__init__", "attach"):  # put back afterwards
        monkeypatch.setattr(MLFlowHandler, name, getattr(MLFlowHandler, name))
    leave_tracking_to_rank0()
    config = {"_target_": "MLFlowHandler", "tracking_uri": f"sqlite:///{tmp_path}/mlruns.db"}
    handler = ConfigParser({"handler": config}).get_parsed_content("handler")
    assert isinstance(handler, MLFlowHandler)
    engine = Engine(lambda _engine, _batch: None)
    handler.attach(engine)
    assert not engine.has_event_handler(handler.start, Events.STARTED)
    engine.run([0])
    assert not list(tmp_path.iterdir())
