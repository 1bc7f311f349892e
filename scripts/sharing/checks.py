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
from .contents import code_line, differing_code, layout_problems, left_by_runs, manifest_problems
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
        """One line, whatever the bundle's texts hold (line breaks, a terminal's commands)."""
        more = len(self.problems) - _SHOWN
        shown = "; ".join(self.problems[:_SHOWN]) + (f"; and {more} more" if more > 0 else "")
        text = f"{'ok' if self.passed else 'FAILED':7} {self.name}"
        line = ": ".join(filter(None, [text, shown, self.note]))
        return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in line)


def verify_bundle(
    root: Path,
    *,
    schema: Path | None = None,
    static: bool = False,
    trust_code: bool = False,
    fresh: bool = False,
    timeout: float = 600.0,
) -> list[Result]:
    """Check a bundle's folder.

    Manifest, layout, metadata and configs are read only. If all are right, the bundle's own code is run in a
    child process: properties, overlays, weights, input and output of the network. The allow-list says nothing
    of that code, so it is run only where it is the installed package's, or where it is trusted.

    Args:
        root: the folder.
        schema: MONAI's metadata schema; None takes our statement of it.
        static: leave out what runs the bundle's code.
        trust_code: run code that differs from the installed package's, too.
        fresh: the folder comes out of a zip: what runs leave is a fault in it, too.
        timeout: of the child process, seconds.

    Returns:
        One result a check.

    Raises:
        InputError: if there is no such folder, or if the schema cannot be read.
    """
    if not root.is_dir():
        raise InputError("there is no such bundle", path=root, remedy="Name a zip or a folder.")
    left = 0 if fresh else left_by_runs(root)
    note = f"not checked: {left} left by runs (output, bytecode)" if left else ""
    results = [
        Result("manifest", tuple(manifest_problems(root, fresh=fresh)), note),
        Result("layout", tuple(layout_problems(root, fresh=fresh))),
        Result("metadata", tuple(metadata_problems(root / "configs" / METADATA, schema=schema))),
        Result("configs", tuple(config_problems(root))),
    ]
    results.append(Result("code", note=f"{code_line(root)} tomobundles {__version__}"))
    if reason := _why_not_run(root, results, static=static, trust_code=trust_code):
        return [*results, Result("run", note=f"left out, {reason}")]
    return [*results, *_run_child(root, timeout)]


def _why_not_run(root: Path, results: Sequence[Result], *, static: bool, trust_code: bool) -> str:
    if static:
        return "not asked for"
    if not all(result.passed for result in results):
        return "the checks above failed"
    return "" if trust_code or not differing_code(root) else "the code is another (see --trust_code)"


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
