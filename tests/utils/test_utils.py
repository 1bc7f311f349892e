# SPDX-License-Identifier: Apache-2.0
import os
import pickle
import subprocess
import sys

import numpy as np
import pytest
import torch

from tomobundles.utils import InputError, atomic_path, find_input_error, keep_freed_memory, start_run


def test_error_lines_say_where_what_and_what_to_do():
    error = InputError("is empty", path="a/b", remedy="fill it")
    assert str(error).splitlines() == ["a/b", "is empty", "fill it"]
    assert str(InputError("is empty")) == "is empty"
    again = pickle.loads(pickle.dumps(error))  # as between a data loader's processes
    assert (again.path, again.problem, again.remedy) == ("a/b", "is empty", "fill it")


def test_error_is_found_in_a_chain():
    error = InputError("x")
    outer = RuntimeError("wrapped")
    outer.__cause__ = ValueError("once more")
    outer.__cause__.__context__ = error
    assert find_input_error(outer) is error
    assert find_input_error(RuntimeError("x")) is None
    outer.__cause__.__context__ = outer  # a loop
    assert find_input_error(outer) is None


def test_atomic_file_is_whole_or_absent(tmp_path):
    target = tmp_path / "folder" / "result.txt"
    with atomic_path(target) as temporary:
        temporary.write_text("new")
        assert not target.exists()
        assert temporary.suffix == ".txt"
    assert target.read_text() == "new"
    assert [file.name for file in target.parent.iterdir()] == ["result.txt"]


def _write_half(target):
    with atomic_path(target) as temporary:
        temporary.write_text("half")
        raise OSError("disk full")


def test_failed_write_leaves_the_old_file(tmp_path):
    target = tmp_path / "result.txt"
    target.write_text("old")
    with pytest.raises(OSError, match="disk full"):
        _write_half(target)
    assert target.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_written_file_has_ordinary_permissions(tmp_path):
    with atomic_path(tmp_path / "x") as temporary:
        temporary.write_text("")
    umask = os.umask(0)
    os.umask(umask)
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o666 & ~umask


def test_freed_memory_is_kept_on_glibc_and_harmless_elsewhere(monkeypatch):
    assert keep_freed_memory() in (True, False)
    monkeypatch.setattr(sys, "platform", "darwin")
    assert keep_freed_memory() is False


def test_c_library_without_mallopt(monkeypatch):
    def refuse(name):
        raise OSError("no such library")

    monkeypatch.setattr(sys, "platform", "linux")
    monkeypatch.setattr("ctypes.CDLL", refuse)
    assert keep_freed_memory() is False


def test_one_seed_for_all_generators():
    draws = []
    for _ in range(2):
        start_run(seed=5, keep_memory=False)
        draws.append((torch.rand(1).item(), float(np.random.random())))
    assert draws[0] == draws[1]
    start_run(seed=None, keep_memory=True)


SCRIPT = """
import sys
from tomobundles.utils import InputError, run
{setup}
run.report_errors()
try:
    raise {error}
except Exception as inner:
    raise RuntimeError("forty lines of wrapping") from inner
"""


def _run(error, setup="", **environment):
    return subprocess.run(
        [sys.executable, "-c", SCRIPT.format(error=error, setup=setup)],
        capture_output=True,
        text=True,
        env=os.environ | environment,
        check=False,
    )


def test_bad_input_shows_three_lines_and_fails():
    done = _run("InputError('is empty', path='a/b', remedy='fill it')")
    assert done.returncode == 1
    assert done.stderr == "error: a/b\nis empty\nfill it\n"


def test_debug_and_other_faults_show_the_traceback():
    assert "forty lines" in _run("InputError('is empty')", TOMOBUNDLES_DEBUG="1").stderr
    done = _run("KeyError('a bug')")
    assert done.returncode == 1
    assert "forty lines" in done.stderr


def test_an_engines_own_report_is_dropped():
    setup = "import logging; logging.basicConfig(level=logging.INFO)"
    name = "ignite.engine.engine.SupervisedTrainer"
    logged = f"logging.getLogger('{name}').error('Engine run is terminating due to exception: x')"
    kept = f"logging.getLogger('{name}').info('epoch done')"
    done = _run(f"{logged} or {kept} or KeyError('a bug')", setup)
    assert "terminating" not in done.stderr
    assert "epoch done" in done.stderr
