# SPDX-License-Identifier: Apache-2.0
"""Bundles under torchrun, two processes of gloo, with a record of what each process writes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.helpers import ROOT

AUDIT = ROOT / "tests" / "bundles" / "audit"
TIMEOUT = 400  # seconds; a group that hangs fails the test


@dataclass(frozen=True)
class Run:
    """What came of a run.

    Args:
        code: exit status of torchrun.
        output: stdout and stderr of all processes.
        written: rank -> absolute paths that it opened for writing, made, renamed or removed.
        pids: of all ranks.
    """

    code: int
    output: str
    written: dict[int, set[str]]
    pids: list[int]

    def under(self, folder: Path, rank: int) -> set[str]:
        """What a rank wrote in a folder, relative to it."""
        inside = (Path(name) for name in self.written[rank] if Path(name).is_relative_to(folder))
        return {str(path.relative_to(folder)) for path in inside} - {"."}


def torchrun(*program: str, scratch: Path, ranks: int = 2) -> Run:
    """``torchrun --nproc_per_node=2 ...``, from the repository's root.

    Args:
        program: what follows, such as ``-m monai.bundle run``.
        scratch: a folder to be made, for the records.
        ranks: processes.
    """
    scratch.mkdir(parents=True)
    path = os.pathsep.join([str(AUDIT), *filter(None, [os.environ.get("PYTHONPATH")])])
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc_per_node={ranks}"]
    done = subprocess.run(
        [*command, *program],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": path, "AUDIT_DIR": str(scratch)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=TIMEOUT,
    )
    records = {file: file.name.split("-") for file in scratch.iterdir()}
    written = {rank: set() for rank in range(ranks)}
    for file, (rank, _) in records.items():
        written[int(rank)] |= set(file.read_text().splitlines())
    return Run(done.returncode, done.stdout, written, [int(pid) for _, pid in records.values()])


def bundle(configs: Path, *files: str | Path, scratch: Path, run_id: str = "", **overrides: object) -> Run:
    """``torchrun ... -m monai.bundle run [run_id] --config_file "[...]" --id value ...``"""
    paths = [str(file if isinstance(file, Path) else configs / file) for file in files]
    program = ["-m", "monai.bundle", "run", *filter(None, [run_id]), "--config_file", str(paths)]
    for name, value in overrides.items():
        program += [f"--{name}", json.dumps(value) if isinstance(value, list | dict) else str(value)]
    return torchrun(*program, scratch=scratch)
