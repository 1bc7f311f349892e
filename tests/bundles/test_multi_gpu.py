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
from tests.helpers import ICH, KIDNEY, LUNG, OCT, ROOT, SMALL, TINY_DETECTOR, workflow
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


# configs, overrides of all runs, of the training, the key metric; two processes share three volumes or one
BUNDLES = {
    "oct_edema": (OCT, {"batch_size": 4}, {"epochs": 3}, "score"),
    "ich": (ICH, SMALL["ich"] | {"validation_fraction": 0.5, "batch_size": 4}, {"epochs": 1}, "auc"),
    "kidney_vasculature": (KIDNEY, {"width": 4}, {"epochs": 1, "patches_per_epoch": 16}, "surface_dice"),
    "lung_nodule": (
        LUNG,
        TINY_DETECTOR | {"validation_fraction": 0.6},
        {"epochs": 1, "crops_per_epoch": 16, "val_interval": 1},
        "cpm",
    ),
}
OTHERS = list(BUNDLES)[1:]


def _files(configs, names):
    return [str(configs / name) for name in names]


@pytest.fixture(scope="module")
def others(tmp_path_factory, heads_dir, kidneys_dir, chests_dir):
    """Three bundles trained and evaluated by the same two processes: the run, and the folder of all."""
    folder, runs = tmp_path_factory.mktemp("others"), []
    for name, data in zip(OTHERS, (heads_dir, kidneys_dir, chests_dir), strict=True):
        configs, both, training, _ = BUNDLES[name]
        both = both | {"dataset_dir": data, "output_dir": folder / name}
        more = {"evaluation_dir": folder / name / "together"}
        runs.append(both | training | {"run_id": "training", "config_file": _files(configs, TRAIN)})
        runs.append(both | more | {"run_id": "evaluating", "config_file": _files(configs, EVALUATE)})
    (folder / "runs.json").write_text(json.dumps(runs, default=str))
    worker = str(Path(__file__).with_name("bundle_worker.py"))
    done = torchrun(worker, str(folder / "runs.json"), scratch=folder / "run")
    assert done.code == 0, done.output[-4000:]
    return done, folder


@pytest.mark.parametrize("name", OTHERS)
def test_train_and_evaluate(name, others, heads_dir, kidneys_dir, chests_dir):
    done, folder = others
    data = dict(zip(OTHERS, (heads_dir, kidneys_dir, chests_dir), strict=True))[name]
    _check_writers(done, folder / name)
    _check_training(folder / name)
    _check_evaluation(name, folder / name, data)


def test_as_typed(tmp_path, contest_dir, trained):
    """Training goes on from that of one process; evaluation without a run id, as the model zoo has it."""
    configs, both, training, _ = BUNDLES["oct_edema"]
    output = tmp_path / "output"
    options = both | {"dataset_dir": contest_dir, "output_dir": output}
    resume = {"run_id": "training", "resume": trained / "models" / "last.pt"}
    done = bundle(configs, *TRAIN, scratch=tmp_path / "1", **options, **training, **resume)
    assert done.code == 0, done.output[-4000:]
    assert done.output.count("epoch 3/3") == done.output.count("resumed after epoch 2") == 1  # rank 0's
    _check_writers(done, output)
    _check_training(output)
    done = bundle(configs, *EVALUATE, scratch=tmp_path / "2", evaluation_dir=output / "together", **options)
    assert done.code == 0, done.output[-4000:]
    _check_evaluation("oct_edema", output, contest_dir)


def _check_writers(done, output):
    """Rank 1 writes nothing but its own volumes: their cache, in an evaluation their folders and its rows."""
    assert "models/model.pt" in done.under(output, rank=0)
    by_1 = {path for path in done.under(output, rank=1) if path.split("/")[0] not in ("cache", "together")}
    assert by_1 == set()
    names = {path.split("/")[1] for path in done.under(output, rank=1) if path.startswith("together/")}
    endings = (".json", ".csv", ".zip", ".html", ".png")
    assert not {name for name in names if name.endswith(endings) and ".part1" not in name}


def _check_training(output):
    assert {"history.csv", "curves.png", "models"} <= {path.name for path in output.iterdir()}
    weights = torch.load(output / "models" / "model.pt", weights_only=True)
    assert not any(key.startswith("module.") for key in weights)


def _check_evaluation(name, output, data):
    """Two processes gave what this one gives, and what the training saw when it saved the network."""
    configs, both, _, metric = BUNDLES[name]
    together, alone = output / "together", output / "alone"
    options = both | {"dataset_dir": str(data), "output_dir": str(output), "evaluation_dir": str(alone)}
    workflow(configs / "train.json", configs / "evaluate.json", **options).run()
    found = json.loads((together / "metrics.json").read_text())
    assert found == json.loads((alone / "metrics.json").read_text())
    tables = [table for table in TABLES if (alone / table).is_file()]
    assert tables
    for table in tables:
        assert _untimed(together / table) == _untimed(alone / table), table
    assert found[metric] == _last_value(output / "history.csv", metric)


def _untimed(path):
    with open(path, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return [{key: one for key, one in row.items() if "seconds" not in key} for row in rows]


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
