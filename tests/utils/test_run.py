# SPDX-License-Identifier: Apache-2.0
"""How a run under ``python -m monai.bundle run`` starts and ends, without starting one."""

import json
import logging
import os
import sys

import pytest

from tomobundles.utils import InputError, report_errors, start_run


class _ExitError(Exception):
    """Stands for the end of the process."""


@pytest.fixture(autouse=True)
def _put_back(monkeypatch):
    """What a run changes in the process, put back after each test."""
    monkeypatch.delenv("TOMOBUNDLES_DEBUG", raising=False)
    monkeypatch.delenv("MLFLOW_DISABLE_TELEMETRY", raising=False)
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    yield
    for name in ("SupervisedTrainer", "SupervisedEvaluator"):
        logger = logging.getLogger(f"ignite.engine.engine.{name}")
        for found in list(logger.filters):
            logger.removeFilter(found)


@pytest.fixture
def exits(monkeypatch):
    """Statuses that the process would have ended with."""
    statuses = []

    def leave(status):
        statuses.append(status)
        raise _ExitError

    monkeypatch.setattr(os, "_exit", leave)
    monkeypatch.setattr(logging, "shutdown", lambda: None)  # it would close pytest's own handlers
    return statuses


@pytest.fixture
def command(tmp_path, monkeypatch):
    """Let this process look like a run of a config with one id."""
    (tmp_path / "train.json").write_text(json.dumps({"epochs": 1}))
    argv = ["/x/monai/bundle/__main__.py", "run", "training", "--config_file", str(tmp_path / "train.json")]

    def type_in(*more):
        monkeypatch.setattr(sys, "argv", [*argv, *more])

    return type_in


def test_a_run_checks_its_overrides_and_reports_errors(command):
    before = sys.excepthook
    command("--epochs", "2")
    start_run(seed=None, keep_memory=False)
    assert sys.excepthook is not before
    command("--epohcs", "2")
    with pytest.raises(InputError, match="did you mean epochs"):
        start_run(seed=None, keep_memory=False)


def test_other_programs_keep_their_own_error_reports(monkeypatch):
    monkeypatch.setattr(sys, "argv", ["pytest"])
    before = sys.excepthook
    start_run(seed=None, keep_memory=False)
    assert sys.excepthook is before


def test_debugging_keeps_the_traceback(monkeypatch):
    monkeypatch.setenv("TOMOBUNDLES_DEBUG", "1")
    before = sys.excepthook
    report_errors()
    assert sys.excepthook is before


def _wrapped(error):
    """An error as MONAI passes it on."""
    outer = RuntimeError("failed to instantiate component")
    outer.__cause__ = error
    return outer


def test_bad_input_ends_with_its_message(exits, capsys):
    report_errors()
    with pytest.raises(_ExitError):
        sys.excepthook(RuntimeError, _wrapped(InputError("is empty", path="a/b", remedy="fill it")), None)
    assert exits == [1]
    assert capsys.readouterr().err == "error: a/b\nis empty\nfill it\n"


def test_a_fault_of_ours_keeps_its_traceback(exits, capsys):
    report_errors()
    sys.excepthook(RuntimeError, _wrapped(KeyError("bug")), None)
    assert exits == []
    said = capsys.readouterr().err
    assert "KeyError: 'bug'" in said
    assert "failed to instantiate component" in said


def test_the_engines_word_on_an_exception_is_dropped_and_nothing_else(caplog):
    report_errors()
    logger = logging.getLogger("ignite.engine.engine.SupervisedTrainer")
    logger.warning("Engine run is terminating due to exception: x")
    logger.warning("Epoch[1] Complete")
    assert [record.getMessage() for record in caplog.records] == ["Epoch[1] Complete"]


@pytest.mark.parametrize(("before", "after"), [(None, "true"), ("false", "false")])
def test_mlflow_reports_nothing_to_its_makers_unless_told_to(monkeypatch, before, after):
    if before is not None:
        monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", before)
    start_run(seed=None, keep_memory=False)
    assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == after
