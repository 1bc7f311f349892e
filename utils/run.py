# SPDX-License-Identifier: Apache-2.0
"""The start of every bundle run: what must be right before anything is read or trained."""

from __future__ import annotations

import logging
import os
import sys
from types import TracebackType

from monai.utils import set_determinism

from .. import check_one_release
from .errors import InputError
from .memory import keep_freed_memory
from .overrides import check_overrides, is_bundle_run

DEBUG_VARIABLE = "TOMOBUNDLES_DEBUG"
TELEMETRY_VARIABLE = "MLFLOW_DISABLE_TELEMETRY"  # MLflow's own; unset, MLflow reports its use to its makers


def start_run(*, seed: int | None, keep_memory: bool = True) -> None:
    """Prepare this process for a run; configs call it first, at ``initialize``.

    Under ``python -m monai.bundle run`` bad input then ends with its message instead of a traceback (unless
    TOMOBUNDLES_DEBUG=1), and mistyped overrides are refused. Everywhere: seeds Python, NumPy and torch, keeps
    freed memory (see ``keep_freed_memory``), and lets no MLflow send its makers what it was used for, unless
    MLFLOW_DISABLE_TELEMETRY says otherwise.

    Args:
        seed: one seed for all; None leaves the run random.
        keep_memory: call ``keep_freed_memory``.

    Raises:
        InputError: a mistyped override.
        ImportError: a second release of this package is in the process.
    """
    check_one_release()
    os.environ.setdefault(TELEMETRY_VARIABLE, "true")
    if is_bundle_run(sys.argv):
        report_errors()
        check_overrides()
    if seed is not None:
        set_determinism(seed=seed)
    if keep_memory:
        keep_freed_memory()


def report_errors() -> None:
    """Let an uncaught InputError, however deep MONAI wrapped it, print its message alone; exit is 1."""
    if os.environ.get(DEBUG_VARIABLE) == "1":
        return
    for engine in ("SupervisedTrainer", "SupervisedEvaluator", "DistributedEvaluator"):
        logging.getLogger(f"ignite.engine.engine.{engine}").addFilter(_not_the_exception)
    sys.excepthook = _report


def find_input_error(error: BaseException | None) -> InputError | None:
    """Return the InputError in an exception's chain of causes, if there is one."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, InputError):
            return error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None


def _report(kind: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    found = find_input_error(error)
    if found is None:
        sys.__excepthook__(kind, error, traceback)
        return
    print(f"error: {found}", file=sys.stderr)
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    # threads of a caching dataset may still be reading; torch aborts where an orderly exit finds them
    os._exit(1)


def _not_the_exception(record: logging.LogRecord) -> bool:
    # ignite logs the exception that it then raises; it would be shown twice
    return "terminating due to exception" not in record.getMessage()
