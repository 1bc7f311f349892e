# SPDX-License-Identifier: Apache-2.0
"""Locks between processes."""

from __future__ import annotations

import builtins
import os
import threading
import time

import pytest

from tomobundles.utils import one_process

fcntl = pytest.importorskip("fcntl", reason="Windows has no such locks")


def test_one_at_a_time(tmp_path):
    """Threads, each with a handle of its own, as processes have."""
    inside, most = [], []

    def work():
        with one_process(tmp_path / "lock"):
            inside.append(1)
            most.append(len(inside))
            time.sleep(0.01)
            inside.pop()

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 8
    assert not list(tmp_path.iterdir())


def test_an_error_gives_the_lock_up(tmp_path):
    with pytest.raises(ZeroDivisionError), one_process(tmp_path / "lock"):
        raise ZeroDivisionError
    with one_process(tmp_path / "lock"):
        assert (tmp_path / "lock").is_file()


def test_a_process_that_died_holds_no_lock(tmp_path):
    process = os.fork()
    if process == 0:
        with one_process(tmp_path / "lock"):
            os._exit(0)  # the file stays, the lock does not
    os.waitpid(process, 0)
    assert (tmp_path / "lock").is_file()
    with one_process(tmp_path / "lock"):
        pass
    assert not list(tmp_path.iterdir())


def test_disks_without_locks(tmp_path, monkeypatch):
    def refuse(handle, operation):
        raise OSError("no locks available")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with one_process(tmp_path / "lock"), one_process(tmp_path / "lock"):
        pass


def test_systems_without_locks(tmp_path, monkeypatch):
    imported = builtins.__import__

    def without(name, *arguments, **options):
        if name == "fcntl":
            raise ImportError(name)
        return imported(name, *arguments, **options)

    monkeypatch.setattr(builtins, "__import__", without)
    with one_process(tmp_path / "lock"):
        assert not list(tmp_path.iterdir())
