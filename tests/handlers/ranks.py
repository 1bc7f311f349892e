# SPDX-License-Identifier: Apache-2.0
"""Processes of one run played by threads, which meet where the processes would."""

from __future__ import annotations

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

from monai.engines import SupervisedEvaluator

from tomobundles.data import ShardSampler, shards
from tomobundles.handlers import (
    DistributedEvaluator,
    distributed_evaluator,
    result_names,
    shares,
    vessel_work,
)

TIMEOUT = 60  # seconds; a rank that does not come breaks the test, instead of hanging it

MODULES = (shares, result_names, vessel_work, shards, distributed_evaluator)


def files_of(folder):
    """Content of each file below a folder, by its path."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def engine_of(ranks):
    """Evaluator and sampler of a run: the plain ones, or for ranks those of the multi-GPU configs."""
    return (SupervisedEvaluator, lambda data: None) if ranks is None else (DistributedEvaluator, ShardSampler)


class Ranks:
    """A group of threads; ``run`` calls a function on each of them.

    Args:
        monkeypatch: pytest's; puts this group where the modules ask for theirs.
        size: number of ranks.
        modules: more modules that import ``ignite.distributed as idist`` or ``gather_json``.
    """

    def __init__(self, monkeypatch, size, modules=()):
        self.size = size
        self.ended = []
        self._local = threading.local()
        self._barrier = threading.Barrier(size, timeout=TIMEOUT)
        self._texts = [""] * size
        idist = SimpleNamespace(
            get_rank=self.rank, get_world_size=lambda: size, barrier=lambda: self._barrier.wait()
        )
        for module in (*MODULES, *modules):
            for name, value in (
                ("idist", idist),
                ("gather_json", self.gather_json),
                ("end_process_group", lambda: self.ended.append(self.rank())),
            ):
                if hasattr(module, name):
                    monkeypatch.setattr(module, name, value)

    def rank(self):
        return getattr(self._local, "rank", 0)

    def gather_json(self, values):
        self._texts[self.rank()] = json.dumps(list(values))
        self._barrier.wait()
        found = [json.loads(text) for text in self._texts]
        self._barrier.wait()  # nobody writes the next texts before all have read these
        return found

    def run(self, function):
        """Call function(rank) on all ranks; gives what they return, or the exceptions that they raise."""

        def one(rank):
            self._local.rank = rank
            try:
                return function(rank)
            except Exception as error:
                return error

        with ThreadPoolExecutor(self.size) as pool:
            return list(pool.map(one, range(self.size)))
