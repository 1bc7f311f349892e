# SPDX-License-Identifier: Apache-2.0
"""When ``make`` sets up its environment again."""

import subprocess

import pytest

from .helpers import ROOT


def _plan(venv, *options, target="demo"):
    """What make would do with an environment in ``venv``; nothing is done."""
    done = subprocess.run(
        ["make", "-n", target, f"VENV={venv}", *options],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def ready(tmp_path):
    """What a finished set-up leaves."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").touch()
    (tmp_path / ".ready").touch()
    return tmp_path


def test_a_finished_environment_is_kept(ready):
    assert "pip install" not in _plan(ready)


def test_a_half_made_environment_is_made_again(ready):
    (ready / ".ready").unlink()
    lines = _plan(ready).splitlines()
    (install,) = [index for index, line in enumerate(lines) if "pip install" in line]
    assert lines[install + 1] == f"touch {ready / '.ready'}"  # only after an installation that went well


@pytest.mark.parametrize("file", ["setup.cfg", "pyproject.toml", "constraints.txt"])
def test_changed_requirements_are_noticed(ready, file):
    plan = _plan(ready, "-W", file)
    assert "pip install" in plan
    assert plan.index(f"rm -f {ready / '.ready'}") < plan.index("pip install")


def test_make_test_lints_and_measures(ready):
    plan = _plan(ready, target="test")
    for part in ("ruff check", "ruff format --check", "OMP_NUM_THREADS=1", "pytest", "--cov-fail-under=95"):
        assert part in plan


def test_continuous_integration_is_make_test():
    assert (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()[-1] == "exec make test"
