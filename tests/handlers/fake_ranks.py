# SPDX-License-Identifier: Apache-2.0
"""A group of processes in which only one is real."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import ignite.distributed as idist


def fake_ranks(monkeypatch: Any, *, after: Sequence[Sequence[Any]]) -> None:
    """Let this process be rank 0, and ``after`` be what the ranks behind it gather, in JSON's types."""

    def gather(values, *, default=None):
        return json.loads(json.dumps([list(values), *after], default=default))

    monkeypatch.setattr(idist, "get_world_size", lambda: 1 + len(after))
    monkeypatch.setattr("tomobundles.utils.distributed.gather_json", gather)
