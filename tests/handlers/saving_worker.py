# SPDX-License-Identifier: Apache-2.0
"""Kill a saving process again and again; prints whole or broken for each kill.

Usage: saving_worker.py FOLDER atomic|plain KILLS; run by test_checkpoint_content.py. With ``plain`` it saves
by torch.save alone, to see that the kills do break a file.
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from pathlib import Path

import torch

from tomobundles.handlers.checkpoint_content import save_atomic


def save_for_ever(path: Path, save) -> None:
    number = 0
    while True:
        number += 1
        save({"number": number, "weights": torch.full((1_000_000,), float(number))}, path)


def is_whole(path: Path) -> bool:
    try:
        content = torch.load(path, weights_only=True)
    except Exception:
        return False
    return bool((content["weights"] == content["number"]).all())


def main(folder: Path, way: str, kills: int) -> None:
    torch.set_num_threads(1)
    chance = random.Random(0)
    path = folder / "last.pt"
    for _ in range(kills):
        process = os.fork()  # not a new interpreter, whose start would take seconds
        if process == 0:
            save_for_ever(path, save_atomic if way == "atomic" else torch.save)
        while not path.exists():
            time.sleep(0.001)
        time.sleep(0.05 + 0.1 * chance.random())
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        print("whole" if is_whole(path) else "broken")


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
