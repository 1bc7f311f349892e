# SPDX-License-Identifier: Apache-2.0
"""The console command: its verbs, and what it says about bad input."""

import json
import subprocess
import sys

import numpy as np
import pytest

from tests.helpers import ROOT
from tomobundles import __version__
from tomobundles.data import load_datalist
from tomobundles.data.sample import SAMPLES
from tomobundles.scripts.cli import VERBS, main, run_verb
from tomobundles.utils import InputError


@pytest.fixture
def mine(tmp_path):
    """Ten volumes of five patients (A..E, two eyes each), labels named *_mask."""
    for folder in ("volumes", "labels"):
        (tmp_path / folder).mkdir()
    for patient in "ABCDE":
        for eye in ("left", "right"):
            np.save(tmp_path / "volumes" / f"{patient}_{eye}.npy", np.zeros((2, 4, 4), np.uint8))
            np.save(tmp_path / "labels" / f"{patient}_{eye}_mask.npy", np.zeros((2, 4, 4), np.uint8))
    return tmp_path


def _datalist(folder, *more, output="lists/mine.json"):
    arguments = ["datalist", "--images", folder / "volumes", "--labels", folder / "labels"]
    arguments += ["--label_suffix", "_mask", "--output", folder / output, *more]
    return main([str(argument) for argument in arguments])


def test_datalist_pairs_and_splits_by_patient(mine, capsys):
    """Of five patients 0.2 are tested (1), then 0.25 of the four left are validated (1): 3 / 1 / 1."""
    assert _datalist(mine, "--test", "0.2", "--validation", "0.25", output="mine.json") == 0
    assert capsys.readouterr().out.splitlines() == [
        "training: 6 volumes of 3 patients",
        "validation: 2 volumes of 1 patients",
        "test: 2 volumes of 1 patients",
        f"wrote {mine / 'mine.json'}; its paths are relative to {mine}",
    ]
    written = json.loads((mine / "mine.json").read_text())
    for item in (item for section in written.values() for item in section):
        assert item["label"] == item["image"].replace("volumes", "labels").replace(".npy", "_mask.npy")
        assert item["patient"] == item["image"].removeprefix("volumes/")[0]
    data = load_datalist(
        dataset_dir=mine, datalist=mine / "mine.json", sections=("training", "validation", "test")
    )
    patients = [{item["patient"] for item in data[section]} for section in data]
    assert sorted(patient for section in patients for patient in section) == list("ABCDE")


def test_without_a_test_share_none_is_held_out(mine, capsys):
    assert _datalist(mine) == 0
    assert "training: 8 volumes of 4 patients" in capsys.readouterr().out
    written = json.loads((mine / "lists" / "mine.json").read_text())
    assert written["test"] == []
    # the datalist lies elsewhere than the data: its paths still lead there
    assert load_datalist(dataset_dir=mine / "lists", datalist=mine / "lists" / "mine.json")["training"]


def test_the_seed_draws_the_patients(mine):
    drawn = []
    for seed in (0, 0, 1, 2, 3):
        assert _datalist(mine, "--seed", seed) == 0
        drawn.append((mine / "lists" / "mine.json").read_text())
    assert drawn[0] == drawn[1]
    assert len(set(drawn)) > 1


def test_patients_by_another_pattern(mine, capsys):
    assert _datalist(mine, "--patient", "left|right", "--validation", "0.5") == 0
    assert "training: 5 volumes of 1 patients" in capsys.readouterr().out


def test_sample_is_written_where_the_bundle_looks_for_it(tmp_path, monkeypatch, capsys):
    made = []
    monkeypatch.setitem(SAMPLES, "oct_edema", made.append)
    monkeypatch.chdir(tmp_path)
    assert main(["sample", "oct_edema"]) == 0
    assert main(["sample", "oct_edema", "--output_dir", "elsewhere"]) == 0
    assert [folder.as_posix() for folder in made] == ["bundles/oct_edema/sample", "elsewhere"]
    assert capsys.readouterr().out.split() == ["bundles/oct_edema/sample", "elsewhere"]


def _spoil(mine, what):
    if what == "no folder":
        return ["--images", str(mine / "nowhere")], "nowhere"
    if what == "lone volume":
        (mine / "labels" / "A_left_mask.npy").unlink()
        return [], "A_left.npy"
    if what == "lone label":
        (mine / "volumes" / "A_left.npy").unlink()
        return [], "A_left_mask.npy"
    if what == "share":
        return ["--validation", "1.5"], "1.5"
    return ["--patient", "("], "not a regular expression"


@pytest.mark.parametrize("what", ["no folder", "lone volume", "lone label", "share", "pattern"])
def test_bad_input_is_said_in_three_lines(what, mine, capsys, monkeypatch):
    monkeypatch.delenv("TOMOBUNDLES_DEBUG", raising=False)
    more, named = _spoil(mine, what)
    assert _datalist(mine, *more) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("error: ")
    assert named in said.err
    assert len(said.err.splitlines()) <= 3
    assert not (mine / "lists").exists()


def test_debugging_raises(mine, monkeypatch):
    monkeypatch.setenv("TOMOBUNDLES_DEBUG", "1")
    more, named = _spoil(mine, "no folder")
    with pytest.raises(InputError, match=named):
        _datalist(mine, *more)


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["--version"], 0, __version__),
        (["--help"], 0, "datalist"),
        ([], 2, "required: verb"),
        (["sampel"], 2, "invalid choice: 'sampel'"),
        (["sample", "lungs"], 2, "invalid choice: 'lungs'"),
        (["datalist"], 2, "--images, --labels, --output"),
    ],
)
def test_version_help_and_usage(arguments, status, said, capsys):
    with pytest.raises(SystemExit) as caught:
        main(arguments)
    assert caught.value.code == status
    assert said in "".join(capsys.readouterr())


def test_every_module_of_the_folder_is_a_verb():
    modules = {path.stem for path in (ROOT / "scripts").glob("*.py")} - {"__init__", "cli"}
    assert modules == set(VERBS)
    for name, module in VERBS.items():
        assert module.__name__ == f"tomobundles.scripts.{name}"


def test_a_verb_takes_the_rest_of_the_command_line(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["datalist.py", "--images", "x", "--labels", str(tmp_path / "nowhere")])
    sys.argv += ["--output", "x.json"]
    with pytest.raises(SystemExit) as caught:
        run_verb("datalist")
    assert caught.value.code == 1
    assert "nowhere" in capsys.readouterr().err


def _module(name, *arguments):
    return subprocess.run(
        [sys.executable, "-m", f"tomobundles.scripts.{name}", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_verb_as_a_module(tmp_path):
    """A sample that is there already is kept: the command only says where it is."""
    (tmp_path / "sample").mkdir()
    (tmp_path / "sample" / "kept").touch()
    done = _module("sample", "oct_edema", "--output_dir", str(tmp_path / "sample"))
    assert (done.returncode, done.stdout.strip()) == (0, str(tmp_path / "sample")), done.stderr
    assert [path.name for path in (tmp_path / "sample").iterdir()] == ["kept"]


def test_a_verb_as_a_module_refuses_bad_input(tmp_path):
    nowhere = str(tmp_path / "nowhere")
    done = _module("datalist", "--images", nowhere, "--labels", nowhere, "--output", "x.json")
    assert done.returncode == 1
    assert done.stderr == f"error: {nowhere}\nno such folder\ncheck --images and --labels\n"
