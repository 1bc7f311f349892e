# SPDX-License-Identifier: Apache-2.0
"""Results are written volume by volume; work files go when all are done."""

import csv
import errno
import json

import numpy as np
import pytest
import torch
from monai.data import DataLoader, Dataset
from torch import nn

from tests.handlers.ranks import Ranks, engine_of, files_of
from tomobundles.data import ProbabilityFolder, collate_one, prepare_volumes
from tomobundles.data.volumes import ArrayVolume
from tomobundles.handlers import VesselResultsHandler
from tomobundles.handlers import vessel_results as module
from tomobundles.inferers import VolumeInferer
from tomobundles.utils import InputError, find_input_error

SHAPE = (4, 8, 10)


class _Bright(nn.Module):
    """A vessel is what is brighter than 0.5."""

    def __init__(self):
        super().__init__()
        self.slope = nn.Parameter(torch.tensor(100.0))

    def forward(self, stacks):
        return self.slope * (stacks[:, 1:2] - 0.5)


def _sample(name, *, named=True):
    gray = np.zeros(SHAPE, np.float32)
    gray[1:, 2:4, 3:6] = 1
    gray[0, 7, 9] = 1  # a speck
    meta = {"path": f"/scans/{name}", "intensity": {"low": 3, "high": 9}}
    image = ArrayVolume(gray, spacing_um=(60, 50, 50), meta=meta)
    return {"image": image, "native": image} | ({"name": name} if named else {})


def _evaluator(samples, handler, folder, *, network=None, inferer=None, ranks=None):
    data, (engine, sampler) = Dataset(samples), engine_of(ranks)
    return engine(
        device=torch.device("cpu"),
        val_data_loader=DataLoader(data, batch_size=1, collate_fn=collate_one, sampler=sampler(data)),
        network=network or _Bright(),
        inferer=inferer or VolumeInferer(store=ProbabilityFolder(folder), progress=False),
        prepare_batch=prepare_volumes,
        val_handlers=[handler],
        decollate=False,
    )


def _run(tmp_path, *, samples=None, **options):
    work = tmp_path / "out" / "cache"
    handler = VesselResultsHandler(tmp_path / "out", **({"outputs": ["npy"]} | options))
    samples = samples or [_sample("a"), _sample("b")]
    _evaluator(samples, handler, work / "probabilities").run()
    return tmp_path / "out"


def _rows(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def _fault(run):
    with pytest.raises(Exception) as caught:  # noqa: PT011
        run()
    return str(find_input_error(caught.value))


def test_each_volume_has_a_folder_and_a_row(tmp_path):
    out = _run(tmp_path, outputs=["npy", "rle"])
    assert sorted(path.name for path in out.iterdir()) == ["a", "b", "submission.csv", "vessels.csv"]
    for name in "ab":
        assert np.load(out / name / f"{name}.npy").sum() == 19
    rows = _rows(out / "vessels.csv")
    assert [row["name"] for row in rows] == ["a", "b"]
    assert (rows[0]["slices"], rows[0]["voxels"], rows[0]["vessel_voxels"]) == ("4", "320", "19")
    assert float(rows[0]["vessel_fraction"]) == pytest.approx(19 / 320, rel=1e-5)
    assert float(rows[0]["inference_seconds"]) > 0


def test_one_submission_of_all(tmp_path):
    lines = (_run(tmp_path, outputs=["rle"]) / "submission.csv").read_text().splitlines()
    assert lines[0] == "id,rle"
    assert [line.partition(",")[0] for line in lines[1:]] == [f"{n}_{i:04d}" for n in "ab" for i in range(4)]
    assert lines[2] == "a_0001,24 3 34 3"


def test_the_record_of_a_run(tmp_path):
    out = _run(tmp_path, threshold=0.25, min_component_voxels=2)
    record = json.loads((out / "a" / "run.json").read_text())
    assert record["volume"] == "/scans/a"
    assert record["shape"] == list(SHAPE)
    assert record["spacing_um"] == record["inferred_spacing_um"] == [60, 50, 50]
    assert record["intensity"] == {"low": 3, "high": 9}
    assert (record["threshold"], record["min_component_voxels"]) == (0.25, 2)
    assert (record["num_slices"], record["axes"]) == (3, ["z"])
    assert record["vessel_voxels"] == 18


def test_small_components_are_removed(tmp_path):
    mask = np.load(_run(tmp_path, min_component_voxels=2) / "a" / "a.npy")
    assert (mask.sum(), mask[0].sum()) == (18, 0)


def test_a_volume_without_a_name_is_named_by_its_path(tmp_path):
    part = _sample("k.mhd", named=False)
    part["native"].meta["slices"] = [4, 7]
    out = _run(tmp_path, samples=[_sample("k.mhd", named=False), part])
    assert (out / "k" / "k.npy").is_file()
    assert (out / "k_4-7" / "k_4-7.npy").is_file()


def test_a_volume_may_be_named_as_the_folder_of_work_files(tmp_path):
    out = _run(tmp_path, samples=[_sample("cache")])
    assert sorted(path.name for path in (out / "cache").iterdir()) == ["cache.npy", "run.json"]


def test_work_files_are_kept_on_demand(tmp_path):
    out = _run(tmp_path, keep_work=True)
    assert {path.name for path in (out / "cache" / "masks").iterdir()} == {"a.npy", "b.npy"}
    assert len(list((out / "cache" / "probabilities").iterdir())) == 2


def test_copies_within_the_results_are_removed_others_stay(tmp_path):
    for folder in (tmp_path / "out" / "cache" / "volumes", tmp_path / "shared"):
        folder.mkdir(parents=True)
        (folder / "copy.npy").write_bytes(b"voxels")
        out = _run(tmp_path, cache_dir=folder)
    assert not (out / "cache").exists()
    assert (tmp_path / "shared" / "copy.npy").is_file()


def test_others_files_in_the_work_folder_stay(tmp_path):
    (tmp_path / "work").mkdir()
    (tmp_path / "work" / "mine.txt").write_text("mine")
    _run(tmp_path, work_dir=tmp_path / "work")
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["mine.txt"]


def test_an_interrupted_run_keeps_its_work(tmp_path):
    """The second volume fails: the first one's results are there, and so is what a new run goes on with."""

    class _Fails(_Bright):
        def forward(self, stacks):
            if len(list((tmp_path / "out").glob("a/*.npy"))):
                raise RuntimeError("interrupted")
            return super().forward(stacks)

    handler = VesselResultsHandler(tmp_path / "out", outputs=["npy"])
    work = tmp_path / "out" / "cache" / "probabilities"
    with pytest.raises(RuntimeError):
        _evaluator([_sample("a"), _sample("b")], handler, work, network=_Fails()).run()
    assert (tmp_path / "out" / "a" / "run.json").is_file()
    assert not (tmp_path / "out" / "vessels.csv").exists()
    assert len(list(work.glob("*/finished.jsonl"))) == 2


def test_a_second_run_starts_with_an_empty_table(tmp_path):
    handler = VesselResultsHandler(tmp_path / "out", outputs=["npy"])
    evaluator = _evaluator([_sample("a")], handler, tmp_path / "work")
    evaluator.run()
    evaluator.run()
    assert len(_rows(tmp_path / "out" / "vessels.csv")) == 1


def test_no_volume_writes_nothing(tmp_path):
    handler = VesselResultsHandler(tmp_path / "out")
    handler._finish()
    assert not (tmp_path / "out").exists()


def test_an_inferer_without_a_store(tmp_path):
    """Any inferer will do that gives a volume."""

    def inferer(image, network):
        return ArrayVolume(image.array, spacing_um=image.spacing_um, meta=image.meta)

    handler = VesselResultsHandler(tmp_path / "out", outputs=["npy"])
    _evaluator([_sample("a")], handler, tmp_path, inferer=inferer).run()
    record = json.loads((tmp_path / "out" / "a" / "run.json").read_text())
    assert (record["num_slices"], record["axes"], record["vessel_voxels"]) == (1, [], 19)
    assert not (tmp_path / "out" / "cache").exists()


def _without_times(folder):
    files = files_of(folder)
    for name in [name for name in files if name.endswith("run.json")]:
        record = json.loads(files[name])
        files[name] = {key: value for key, value in record.items() if "seconds" not in key}
    table = _rows(folder / "vessels.csv")
    files["vessels.csv"] = [{k: v for k, v in row.items() if "seconds" not in k} for row in table]
    return files


@pytest.mark.parametrize("size", [2, 4])
def test_ranks_write_the_files_of_one_process(tmp_path, monkeypatch, size):
    samples = [_sample(name) for name in "cab"]
    one = _run(tmp_path / "one", samples=samples, outputs=["npy", "rle"])
    out = tmp_path / "several"
    (out / "cache" / "volumes").mkdir(parents=True)
    for name in ("vessels.csv", "submission.csv"):
        (out / name).write_text("of an earlier run")
    ranks = Ranks(monkeypatch, size)
    options = {"outputs": ["npy", "rle"], "cache_dir": out / "cache" / "volumes"}
    handlers = [VesselResultsHandler(out, **options) for _ in range(size)]
    work = out / "cache" / "probabilities"
    done = ranks.run(lambda rank: _evaluator(samples, handlers[rank], work, ranks=ranks).run())
    assert done == [None] * size
    assert _without_times(out) == _without_times(one)
    assert [row["name"] for row in _rows(out / "vessels.csv")] == ["c", "a", "b"]
    assert sorted(path.name for path in out.iterdir()) == ["a", "b", "c", "submission.csv", "vessels.csv"]


def test_two_ranks_do_not_write_one_volume(tmp_path, monkeypatch):
    ranks = Ranks(monkeypatch, 2)
    samples = [_sample("a"), _sample("a")]
    handlers = [VesselResultsHandler(tmp_path / "out", outputs=["npy"]) for _ in range(2)]
    errors = ranks.run(lambda rank: _evaluator(samples, handlers[rank], tmp_path, ranks=ranks).run())
    assert ["volume a is listed twice" in str(error) for error in errors] == [True, True]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"outputs": ["mask", "msak"]}, "unknown output 'msak'"),
        ({"threshold": 0}, "threshold is 0"),
        ({"threshold": 1.01}, "threshold is 1.01"),
        ({"rle_order": "K"}, "order"),
    ],
)
def test_options_out_of_range(options, said, tmp_path):
    with pytest.raises(InputError, match=said):
        VesselResultsHandler(tmp_path, **options)


def _full(*given, **options):
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("name", ["write_rows", "atomic_path"])
def test_a_full_disk_is_said(name, tmp_path, monkeypatch):
    """While the record is written, and while the table of all volumes is."""
    monkeypatch.setattr(module, name, _full)
    assert "no space left on the disk" in _fault(lambda: _run(tmp_path))
    assert not (tmp_path / "out" / "vessels.csv").exists()
    assert list((tmp_path / "out" / "cache").rglob("finished.jsonl"))
