# SPDX-License-Identifier: Apache-2.0
"""All checks of one bundle's folder, the ones that run its code last and in a process of their own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ... import __version__
from ...utils import InputError
from .config_rules import METADATA, config_problems
from .contents import code_line, layout_problems, manifest_problems
from .metadata_schema import metadata_problems

_CHILD = Path(__file__).with_name("network_check.py")
_SHOWN = 3


@dataclass(frozen=True)
class Result:
    """What one check found.

    Args:
        name: the check.
        problems: "where: what is wrong"; empty if all is right.
        note: said in any case.
    """

    name: str
    problems: tuple[str, ...] = ()
    note: str = ""

    @property
    def passed(self) -> bool:
        """Whether there is no problem."""
        return not self.problems

    def __str__(self) -> str:
        """One line."""
        more = len(self.problems) - _SHOWN
        shown = "; ".join(self.problems[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
        text = f"{'ok' if self.passed else 'FAILED':7} {self.name}"
        return ": ".join(filter(None, [text, shown, self.note]))


def verify_bundle(
    root: Path, *, schema: Path | None = None, static: bool = False, timeout: float = 600.0
) -> list[Result]:
    """Check a bundle's folder.

    Manifest, layout, metadata and configs are read only. If all are right, the bundle's own code is run in a
    child process: properties, overlays, weights, input and output of the network. The allow-list says nothing
    of that code; the last read-only result says whether it is the installed package's.

    Args:
        root: the folder.
        schema: MONAI's metadata schema; None takes our statement of it.
        static: leave out what runs the bundle's code.
        timeout: of the child process, seconds.

    Returns:
        One result a check.

    Raises:
        InputError: if there is no such folder, or if the schema cannot be read.
    """
    if not root.is_dir():
        raise InputError("there is no such bundle", path=root, remedy="Name a zip or a folder.")
    results = [
        Result("manifest", tuple(manifest_problems(root))),
        Result("layout", tuple(layout_problems(root))),
        Result("metadata", tuple(metadata_problems(root / "configs" / METADATA, schema=schema))),
        Result("configs", tuple(config_problems(root))),
    ]
    results.append(Result("code", note=f"{code_line(root)} tomobundles {__version__}"))
    if static or not all(result.passed for result in results):
        reason = "not asked for" if static else "the checks above failed"
        return [*results, Result("run", note=f"left out, {reason}")]
    return [*results, *_run_child(root, timeout)]


def _run_child(root: Path, timeout: float) -> Sequence[Result]:
    # -P: neither the script's folder nor the current one comes first; the script adds the bundle's itself
    command = [sys.executable, "-P", "-W", "ignore", str(_CHILD)]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    environment |= {"PYTHONDONTWRITEBYTECODE": "1", "CUDA_VISIBLE_DEVICES": ""}
    try:
        done = subprocess.run(
            command, cwd=root, env=environment, capture_output=True, text=True, timeout=timeout, check=False
        )
        found = json.loads(done.stdout.splitlines()[-1])
    except subprocess.TimeoutExpired:
        return [Result("run", (f"not finished after {timeout:g} s",))]
    except (ValueError, IndexError):
        last = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        return [Result("run", (last[:300],))]
    return [Result(name, (problem,) if problem else ()) for name, problem in found]
