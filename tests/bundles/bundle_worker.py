# SPDX-License-Identifier: Apache-2.0
"""One rank that runs several bundles one after another; torchrun runs two: bundle_worker.py RUNS.json.

Each run is what ``python -m monai.bundle run`` is given; only the group of processes stays until the last one
is done, since a start of Python for each run takes longer than the runs.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from monai import bundle

from tomobundles.utils import end_process_group


def main(runs: str) -> None:
    torch.set_num_threads(1)
    for given in json.loads(Path(runs).read_text()):
        bundle.run(final_id="none", **given)
    end_process_group()


if __name__ == "__main__":
    main(sys.argv[1])
