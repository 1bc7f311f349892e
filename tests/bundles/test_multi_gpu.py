# SPDX-License-Identifier: Apache-2.0
"""Training and evaluation by two processes under torchrun, with gloo on the CPU."""

from __future__ import annotations

import csv
import json
import os
import time
from pathlib import Path

import pytest
import torch

from tests.bundles.torchrun import bundle, torchrun
from tests.helpers import ICH, KIDNEY, LUNG, OCT, ROOT, TINY_DETECTOR, workflow
from tomobundles.utils import find_input_error

TRAIN = ("train.json", "multi_gpu_train.json")
EVALUATE = ("train.json", "evaluate.json", "multi_gpu_evaluate.json")
TABLES = (
    "volumes.csv",
    "volumes.csv",
    "scans.csv",
    "nodules.csv",
    "patients.csv",
    "slices.csv",
    "vessels.csv",
)


@pytest.fixture(autouse=True)
def _from_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.fixture(scope="module")
def steps(tmp_path_factory, contest_dir, heads_dir, kidneys_dir, chests_dir):
    """What step_worker.py found of a training step of each bundle, by name."""
    # Adam divides a gradient by its size: with its eps of 1e-8 the rounding of a sum in another order turns
    # the steps of all weights whose gradient is next to nothing. Dropout is off, since ranks draw their own.
    slow = {"optimizer#eps": 1e-3, "batch_size": 8}
    tiny = TINY_DETECTOR | {"dropout": 0.0, "crops_per_epoch": 16, "batch_size": 8}
    ich = slow | {"dataset_dir": heads_dir, "network_def#backbone": "resnet18", "network_def#dropout": 0.0}
    kidney = slow | {"dataset_dir": kidneys_dir, "width": 4, "patches_per_epoch": 16}
    plain = {"_target_": "torch.nn.parallel.DistributedDataParallel", "module": "@network"}
    cases = {
        "oct_edema": ("oct_edema", slow | {"dataset_dir": contest_dir, "network_def#presence_dropout": 0.0}),
        "ich": ("ich", ich),
        # a Dice smoothed by one voxel is another one for twice the voxels
        "kidney_vasculature": ("kidney_vasculature", kidney | {"loss#terms#dice#smooth": 1e-9}),
        # all negatives are drawn, so that the draw is not another one
        "lung_nodule": ("lung_nodule", tiny | {"dataset_dir": chests_dir, "negative_pool": 10**6}),
        "sum of halves": ("ich", ich),
        "mean of halves": ("ich", ich | {"loss#terms#asl#reduction": "mean"}),
        "wrong mean": ("ich", ich),
    }
    folder = tmp_path_factory.mktemp("steps")
    (folder / "cases.json").write_text(
        json.dumps(
            [
                {
                    "bundle": name,
                    "overrides": overrides,
                    "equal": "of halves" not in case,
                    "overlay": {"train#trainer#network": plain} if "mean" in case else {},
                }
                for case, (name, overrides) in cases.items()
            ],
            default=str,
        )
    )
    worker = str(Path(__file__).with_name("step_worker.py"))
    done = torchrun(worker, str(folder / "cases.json"), str(folder / "results.json"), scratch=folder / "run")
    assert done.code == 0, done.output[-4000:]
    return dict(zip(cases, json.loads((folder / "results.json").read_text()), strict=True))


@pytest.mark.parametrize("case", ["oct_edema", "ich", "kidney_vasculature", "lung_nodule"])
def test_a_step_is_that_of_one_process_on_the_whole_batch(steps, case):
    """Each rank has the same half, since batch norm and batch-wise Dice are of a process's own samples."""
    assert steps[case]["wrapper"] == "DistributedDataParallel"
    assert steps[case]["change"] > 3e-5
    assert steps[case]["difference"] < 1e-5
    assert steps[case]["difference"] < 0.01 * steps[case]["change"]
    assert steps[case]["between_ranks"] == 0


@pytest.mark.parametrize("case", ["sum of halves", "mean of halves"])
def test_a_step_on_different_halves(steps, case):
    """Batch norm by its running statistics; a loss that is a sum over samples, and one that is a mean."""
    assert steps[case]["change"] > 3e-5
    assert steps[case]["difference"] < 1e-6


def test_the_comparison_sees_a_mean_of_sums(steps):
    """The gradients of a sum, averaged as DistributedDataParallel does by itself: the step is too small."""
    assert steps["wrong mean"]["difference"] > 1e-5


# configs, overrides of all, of the training, and the key metric; three volumes or one on two processes
BUNDLES = {
    "oct_edema": (OCT, {"batch_size": 4}, {}, "score"),
    "ich": (
        ICH,
        {"network_def#backbone": "resnet18", "validation_fraction": 0.5, "batch_size": 4},
        {},
        "auc",
    ),
    "kidney_vasculature": (KIDNEY, {"width": 4}, {"patches_per_epoch": 16}, "surface_dice"),
    "lung_nodule": (
        LUNG,
        TINY_DETECTOR | {"validation_fraction": 0.6},
        {"crops_per_epoch": 16, "val_interval": 1},
        "cpm",
    ),
}


@pytest.mark.parametrize("name", BUNDLES)
def test_train_and_evaluate(name, request, tmp_path, contest_dir, heads_dir, kidneys_dir, chests_dir):
    configs, both, training, metric = BUNDLES[name]
    data = dict(zip(BUNDLES, (contest_dir, heads_dir, kidneys_dir, chests_dir), strict=True))[name]
    both = both | {"dataset_dir": str(data)}
    output, together, alone = tmp_path / "output", tmp_path / "together", tmp_path / "alone"
    last, options = 1, both | {"output_dir": str(output)}
    if name == "oct_edema":  # goes on from a training by one process
        last, trained = 3, request.getfixturevalue("trained")
        training = {"resume": str(trained / "models" / "last.pt")}
    done = bundle(
        configs,
        *TRAIN,
        scratch=tmp_path / "1",
        run_id="training",
        output_dir=output,
        epochs=last,
        **both,
        **training,
    )
    assert done.code == 0, done.output[-4000:]
    assert done.output.count(f"epoch {last}/{last}") == 1  # only rank 0 logs
    assert {"history.csv", "curves.png", "models"} <= {path.name for path in output.iterdir()}
    weights = torch.load(output / "models" / "model.pt", weights_only=True)
    assert not any(key.startswith("module.") for key in weights)
    assert not [path for path in done.under(output, rank=1) if not path.startswith("cache")]
    assert done.under(output, rank=0)

    options = both | {"output_dir": str(output)}
    done = bundle(
        configs, *EVALUATE, scratch=tmp_path / "2", evaluation_dir=together, **options
    )  # the zoo's form
    assert done.code == 0, done.output[-4000:]
    workflow(configs / "train.json", configs / "evaluate.json", evaluation_dir=str(alone), **options).run()
    found = json.loads((together / "metrics.json").read_text())
    assert found == json.loads((alone / "metrics.json").read_text())
    tables = [table for table in TABLES if (alone / table).is_file()]
    assert tables
    for table in tables:
        assert _untimed(together / table) == _untimed(alone / table), table
    assert found[metric] == _last_value(output / "history.csv", metric)


def _untimed(path):
    with open(path, newline="", encoding="utf-8") as file:
        return [
            {key: one for key, one in row.items() if "seconds" not in key} for row in csv.DictReader(file)
        ]


def _last_value(path, metric):
    """The metric that the training saw: of the network that it saved, batch norm's buffers included."""
    with open(path, newline="", encoding="utf-8") as file:
        text = list(csv.DictReader(file))[-1][metric]
    return pytest.approx(float(text), abs=1e-6) if text not in ("", "nan") else None


def test_a_rank_that_is_killed_ends_the_run(tmp_path, contest_dir, trained):
    overlay = tmp_path / "killed.json"
    kill = "(lambda item: os.kill(os.getpid(), 9) if os.environ['RANK'] == '1' else item)"
    overlay.write_text(
        json.dumps({"validate#preprocessing#transforms": f"$@train#deterministic_transforms + [{kill}]"})
    )
    started = time.monotonic()
    done = bundle(
        OCT,
        *EVALUATE,
        overlay,
        scratch=tmp_path / "run",
        dataset_dir=contest_dir,
        ckpt_dir=trained / "models",
        evaluation_dir=tmp_path / "evaluation",
    )
    assert done.code != 0
    assert "SIGKILL" in done.output or "-9" in done.output
    assert time.monotonic() - started < 240
    assert not (tmp_path / "evaluation" / "metrics.json").exists()
    assert len(done.pids) == 2
    for pid in done.pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_without_torchrun_it_says_so(contest_dir):
    with pytest.raises(RuntimeError) as caught:
        workflow(OCT / "train.json", OCT / "multi_gpu_train.json", dataset_dir=str(contest_dir))
    assert "torchrun did not start" in str(find_input_error(caught.value))


@pytest.mark.parametrize("configs", [OCT, ICH, KIDNEY, LUNG], ids=lambda path: path.parts[1])
def test_overlays_are_small_and_lay_on_what_is_there(configs):
    for name in (TRAIN[-1], EVALUATE[-1]):
        text = (ROOT / configs / name).read_text()
        assert len(text.splitlines()) < 30
        below = json.loads((ROOT / configs / "train.json").read_text())
        for key in json.loads(text):
            *parents, _ = key.split("#")
            node = below
            for parent in parents:
                node = node[parent]
            assert isinstance(node, dict)
