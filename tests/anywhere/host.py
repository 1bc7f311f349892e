# SPDX-License-Identifier: Apache-2.0
"""A host with several bundles in one process: each is loaded by MONAI, predicts, and runs its workflow.

``host.py JSON OUTPUT BUNDLE ...``: JSON maps a bundle's name to the folder of its scans (null: no workflow).
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
from monai.bundle import create_workflow, load

SHAPES = {
    "oct_edema": (1, 3, 32, 48),
    "ich": (1, 1, 32, 32),
    "kidney_vasculature": (1, 3, 32, 48),
    "lung_nodule": (1, 1, 32, 32, 48),
}


def main(scans: dict[str, str | None], output: Path, bundles: list[Path]) -> None:
    done = {}
    for bundle in bundles:
        sys.path.append(str(bundle))  # as hosts do, one after the other
        network = load(bundle.name, bundle_dir=str(bundle.parent), source="github", workflow_type="inference")
        with torch.no_grad():
            answer = network.eval()(torch.zeros(SHAPES.get(bundle.name, (1, 1, 8, 8))))
        done[bundle.name] = {"module": type(network).__module__, "shape": list(answer.shape)}
        if scans.get(bundle.name):
            workflow = create_workflow(
                config_file=str(bundle / "configs" / "inference.json"),
                workflow_type="inference",
                logging_file=False,
                bundle_root=str(bundle),
                dataset_dir=scans[bundle.name],
                output_dir=str(output / bundle.name),
            )
            workflow.run()
            workflow.finalize()
            done[bundle.name]["files"] = sorted(path.name for path in (output / bundle.name).glob("*.csv"))
    import tomobundles

    done["code"] = tomobundles.__file__
    print("DONE" + json.dumps(done))


if __name__ == "__main__":
    main(json.loads(sys.argv[1]), Path(sys.argv[2]), [Path(path) for path in sys.argv[3:]])
