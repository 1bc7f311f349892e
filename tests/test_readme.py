# SPDX-License-Identifier: Apache-2.0
"""Every command that the documentation shows: what it names exists, and it runs."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import tifffile
from monai.bundle import ConfigParser

from tomobundles.data.phantoms import write_dicom_series
from tomobundles.scripts import cli
from tomobundles.utils.overrides import check_overrides

from .helpers import ROOT, TINY_DETECTOR, TINY_NETWORK, write_chests, write_kidneys

MONAI_RUN = ["-m", "monai.bundle", "run"]
CARDS = sorted(path.relative_to(ROOT) for path in (ROOT / "bundles").glob("*/docs/README.md"))
PAGES = [
    Path("README.md"),
    Path("docs/own_data.md"),
    Path("docs/own_head_ct.md"),
    Path("docs/own_vessels.md"),
    Path("docs/own_chest_ct.md"),
    Path("docs/sharing.md"),
    Path("docs/export.md"),
    Path("docs/clusters.md"),
    Path("docs/tracking.md"),
    Path("docs/hosts.md"),
    *CARDS,
]


@pytest.fixture(autouse=True)
def _from_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


def _commands(page):
    """Command lines of a page's bash blocks, continued lines joined, comments gone."""
    for block in re.findall(r"^```bash\n(.*?)^```", (ROOT / page).read_text(encoding="utf-8"), re.S | re.M):
        for line in block.replace("\\\n", " ").splitlines():
            if words := shlex.split(line, comments=True):
                yield words


def _all_commands():
    for page in PAGES:
        for words in _commands(page):
            yield pytest.param(words, id=f"{page}: {' '.join(words)[:60]}")


def _demo_commands():
    """What ``make demo`` would type; Make itself says so."""
    done = subprocess.run(["make", "-n", "demo"], cwd=ROOT, capture_output=True, text=True, check=True)
    return [words for words in map(shlex.split, done.stdout.splitlines()) if words[1:4] == MONAI_RUN]


def _value(words, name):
    """The value of an option, ``--name value`` or ``--name=value``."""
    for index, word in enumerate(words):
        if word == name:
            return words[index + 1]
        if word.startswith(f"{name}="):
            return word.partition("=")[2]
    return None


def _config_files(words):
    given = _value(words, "--config_file")
    assert given, "no --config_file"
    return re.findall(r"[^\[\]',\s]+", given)


def _check_make(words):
    targets = re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.M)
    assert set(words[1:]) <= set(targets)


def _check_pip(words):
    setup = (ROOT / "setup.cfg").read_text(encoding="utf-8")
    assert (ROOT / (_value(words, "--constraint") or "setup.cfg")).is_file()
    for extra in re.findall(r"\.\[(\w+)\]", " ".join(words)):
        assert f"\n{extra} =\n" in setup


def _check_run(words):
    files = _config_files(words)
    if files[0].startswith("configs/"):  # from the root of any bundle, unpacked
        files = [f"bundles/oct_edema/{file}" for file in files]
        words = [
            *words[: words.index("--config_file") + 1],
            str(files),
            *words[words.index("--config_file") + 2 :],
        ]
    assert all((ROOT / file).is_file() for file in files)
    run_id = "run" if words[4].startswith("--") else words[4]
    assert run_id in ConfigParser.load_config_files(files), f"no run id {run_id}"
    check_overrides(["monai/bundle/__main__.py", *words[3:]])


def _check_verb(words):
    """Parse the arguments as the command would, without doing its work."""
    taken = []
    with pytest.MonkeyPatch.context() as patch:
        for module in cli.VERBS.values():
            patch.setattr(module, "run", taken.append)
        assert cli.main(words[1:]) == 0
    assert len(taken) == 1


def _check_torchrun(words):
    """torchrun's own options, then a run as without it."""
    start = words.index("-m")
    assert all(word.startswith("--n") or word == "--standalone" for word in words[1:start])
    assert words[start : start + 3] == MONAI_RUN
    _check_run(["python", *words[start:]])


# run by tests/test_download.py, test_hub.py and bundles/test_exported.py, or by nobody here
ELSEWHERE = (
    ["python", "-m", "http.server"],
    ["python", "-m", "monai.bundle", "download"],
    ["python", "-m", "fire", "monai.bundle", "push_to_hf_hub"],
    ["python", "-m", "monai.bundle", "ckpt_export", "network_def"],
    ["python", "-m", "monai.bundle", "verify_net_in_out", "network_def"],
    ["python", "-m", "monai.bundle", "trt_export", "network_def"],
    ["sha256sum"],
    ["unzip"],
    ["cd"],
    ["python3", "-m", "venv", ".venv"],
    [".", ".venv/bin/activate"],
)


def _check(words):
    if words[0] == "make":
        _check_make(words)
    elif words[0] == "pip":
        _check_pip(words)
    elif words[0] == "tomobundles":
        _check_verb(words)
    elif words[1:4] == MONAI_RUN:
        _check_run(words)
    elif words[:2] == ["python", "-m"] and words[2].startswith("benchmarks."):
        assert (ROOT / words[2].replace(".", "/")).with_suffix(".py").is_file()
    elif words[0] == "python" and words[1].endswith(".py"):
        assert (ROOT / words[1]).is_file()
    elif words[0] == "torchrun":
        _check_torchrun(words)
    else:
        assert any(words[: len(known)] == known for known in ELSEWHERE), "unknown command"


@pytest.mark.parametrize("words", list(_all_commands()))
def test_what_a_command_names_exists(words):
    _check(words)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("make dmeo", "dmeo"),
        ("pip install --constraint nowhere.txt .", "nowhere.txt"),
        ("python -m monai.bundle run training --config_file bundles/oct_edema/configs/trian.json", "False"),
        (
            "python -m monai.bundle run trainin --config_file bundles/oct_edema/configs/train.json",
            "no run id",
        ),
        ("conda install tomobundles", "unknown command"),
    ],
)
def test_a_wrong_command_is_noticed(line, message):
    with pytest.raises(AssertionError, match=message):
        _check(shlex.split(line))


def test_the_first_screen_has_the_two_commands():
    first = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()[:30]
    assert {"make demo", "make test"} <= {line.partition("#")[0].strip() for line in first}


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_links_and_files_named_exist(page):
    text = (ROOT / page).read_text(encoding="utf-8")
    for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if "://" not in link:
            assert (ROOT / page.parent / link).exists(), link
    for file in re.findall(r"bundles/\w+/configs/[\w.]+\.json", text):
        assert (ROOT / file).is_file(), file


def _run(words, overrides, *, cwd=ROOT):
    """Type a command with smaller settings; ones that it names itself are replaced."""
    words = [sys.executable, *words[1:]]
    for name, value in overrides.items():
        if f"--{name}" in words:
            words[words.index(f"--{name}") + 1] = str(value)
        else:
            words += [f"--{name}", str(value)]
    done = subprocess.run(words, cwd=cwd, env=os.environ, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


SMALL = {"training": {"epochs": 1, "batch_size": 4}}
SMALLER = {
    "oct_edema": {},
    "ich": {"network_def#backbone": "resnet18"},
    "kidney_vasculature": {"width": 4},
    "lung_nodule": TINY_NETWORK,
}
MADE = {
    "training": "models/model.pt",
    "evaluating": "evaluation/metrics.json",
    "inference": {
        "oct_edema": "findings.csv",
        "ich": "patients.csv",
        "kidney_vasculature": "vessels.csv",
        "lung_nodule": "cases.csv",
    },
}


def _bundle(words):
    return _config_files(words)[0].split("/")[1]


def _made(words):
    made = MADE[words[4]]
    return made if isinstance(made, str) else made[_bundle(words)]


def _runs(commands):
    runs = [words for words in commands if words[1:4] == MONAI_RUN]
    return [pytest.param(words, id=f"{_bundle(words)} {words[4]}") for words in runs]


def test_the_readme_shows_all_three_runs():
    assert [run.id for run in _runs(_commands("README.md"))][:3] == [f"oct_edema {name}" for name in MADE]
    assert [run.id for run in _runs(_demo_commands())] == [f"oct_edema {name}" for name in MADE]


@pytest.mark.parametrize("words", _runs(_commands("README.md")))
def test_the_readmes_commands_run(words, request, tmp_path):
    data, model = {
        "oct_edema": ("contest_dir", "trained"),
        "ich": ("heads_dir", "trained_ich"),
        "kidney_vasculature": ("kidneys_dir", "trained_kidney"),
        "lung_nodule": ("chests_dir", "trained_lung"),
    }[_bundle(words)]
    overrides = {"dataset_dir": request.getfixturevalue(data), "output_dir": tmp_path}
    overrides |= SMALL.get(words[4], {}) | SMALLER[_bundle(words)]
    if words[4] == "training" and _bundle(words) == "lung_nodule":
        overrides |= TINY_DETECTOR | {"crops_per_epoch": 8}
    if words[4] != "training":
        overrides["ckpt_dir"] = request.getfixturevalue(model) / "models"
    _run(words, overrides)
    assert (tmp_path / _made(words)).stat().st_size > 0


def test_make_demo_runs(contest_dir, tmp_path):
    """Its three lines in order, each on what the one before it left."""
    for words in _demo_commands():
        overrides = {"dataset_dir": contest_dir, "output_dir": tmp_path} | SMALL.get(words[4], {})
        if words[4] == "inference":
            overrides["ckpt_dir"] = tmp_path / "models"
        _check_run(words)
        _run(words, overrides)
        assert (tmp_path / _made(words)).stat().st_size > 0


def _write_mine(folder):
    """The folder that docs/own_data.md supposes: NIfTI volumes with masks of values 1 and 2."""
    rng = np.random.default_rng(0)
    for kind in ("volumes", "labels", "new_scans"):
        (folder / kind).mkdir(parents=True)
    for patient in ("AB12", "CD07", "EF33", "GH51"):
        for eye in ("left", "right"):
            mask = np.zeros((24, 32, 4), np.uint8)
            mask[4:12, 4:12, 1:3], mask[12:20, 16:24, 1:4] = 1, 2
            scan = np.clip(60 + 50.0 * mask + rng.normal(0, 8, mask.shape), 0, 255).astype(np.uint8)
            nib.save(nib.Nifti1Image(scan, np.eye(4)), folder / "volumes" / f"{patient}_{eye}.nii.gz")
            nib.save(nib.Nifti1Image(mask, np.eye(4)), folder / "labels" / f"{patient}_{eye}_mask.nii.gz")
    nib.save(nib.Nifti1Image(scan, np.eye(4)), folder / "new_scans" / "new.nii.gz")


def test_own_data_runs_from_a_folder_to_masks(tmp_path):
    """Every command of the page in its order, with mine/ elsewhere and one epoch."""
    mine = tmp_path / "mine"
    _write_mine(mine)
    commands = list(_commands("docs/own_data.md"))
    assert [words[0] for words in commands if words[1:4] != MONAI_RUN] == ["tomobundles"]
    for words in commands:
        words = [re.sub(r"^mine\b", str(mine), word) for word in words]
        if words[0] == "tomobundles":
            assert cli.main(words[1:]) == 0
        else:
            _run(words, SMALL.get(words[4], {}))
    assert (mine / "model" / "evaluation" / "metrics.json").is_file()
    assert (mine / "results" / "findings.csv").is_file()
    assert len(list((mine / "results").rglob("*.nii.gz"))) == 1


def _write_studies(folder, text):
    """The folder that docs/own_head_ct.md supposes, with the page's own datalist."""
    (folder / "labels").mkdir(parents=True)
    hu = np.random.default_rng(0).integers(-50, 90, (16, 16, 4)).astype(np.int16)
    for name in ("a01", "b01", "c01"):
        uids = write_dicom_series(
            folder / "studies" / name, hu, spacing_mm=(0.9, 0.9, 5.0), study=name, series=name
        )
        rows = [f"{uid},{int(index == 1)},0,0,,0" for index, uid in enumerate(uids)]
        (folder / "labels" / f"{name}.csv").write_text("\n".join(["slice,IPH,IVH,SAH,SDH,EDH", *rows]) + "\n")
    nib.save(nib.Nifti1Image(hu.transpose(1, 0, 2), np.eye(4)), folder / "studies" / "a02.nii.gz")
    found = json.loads(re.search(r"^```json\n(.*?)^```", text, re.S | re.M)[1])
    found["validation"][0]["image"] = "studies/a03.nii.gz"  # the page's slices are numbered, as in NIfTI
    nib.save(nib.Nifti1Image(hu.transpose(1, 0, 2), np.eye(4)), folder / "studies" / "a03.nii.gz")
    found["test"] = [{"image": "studies/c01", "patient": "c01", "label": "labels/c01.csv"}]
    (folder / "datalist.json").write_text(json.dumps(found))


def test_own_head_ct_runs_from_a_datalist_to_probabilities(tmp_path):
    """Every command of the page, training first, with mine/ elsewhere and one epoch."""
    mine = tmp_path / "mine"
    _write_studies(mine, (ROOT / "docs/own_head_ct.md").read_text(encoding="utf-8"))
    commands = list(_commands("docs/own_head_ct.md"))
    for words in sorted(commands, key=lambda words: words[4] != "training"):
        words = [re.sub(r"^mine\b", str(mine), word) for word in words]
        _run(words, SMALL.get(words[4], {}) | SMALLER["ich"])
    assert (mine / "refined" / "models" / "model.pt").is_file()
    assert (mine / "model" / "evaluation" / "metrics.json").is_file()
    assert (mine / "calibrated" / "calibration.json").is_file()
    assert len((mine / "results" / "patients.csv").read_text().splitlines()) == 1 + 5


def _write_vessels(folder, text):
    """The folder that docs/own_vessels.md supposes, with the page's own datalist."""
    kidneys = write_kidneys(folder / "contest", shape=(12, 24, 24))
    for kind in ("images", "labels"):
        (folder / kind.replace("images", "volumes")).mkdir(parents=True)
    for number, name in enumerate(
        ("train/kidney_1_dense", "train/kidney_2", "train/kidney_2", "test/kidney_5"), 1
    ):
        for kind in ("images", "labels"):
            path = folder / kind.replace("images", "volumes") / f"k{number}"
            files = sorted((kidneys / name / kind).iterdir())
            values = np.stack([tifffile.imread(file) for file in files])
            if number == 1:
                shutil.copytree(kidneys / name / kind, path)
            elif number == 2:
                nib.save(nib.Nifti1Image(values.T, np.diag([0.05, 0.05, 0.05, 1])), f"{path}.nii.gz")
            elif number == 3:
                tifffile.imwrite(f"{path}.tif", values)
            else:
                np.save(f"{path}.npy", values)
    shutil.rmtree(kidneys)
    found = json.loads(re.search(r"^```json\n(.*?)^```", text, re.S | re.M)[1])
    found["test"][0]["label"] = "labels/k4.npy"  # that evaluation has something to compare with
    (folder / "datalist.json").write_text(json.dumps(found))


def test_own_vessels_runs_from_a_datalist_to_masks(tmp_path):
    """Every command of the page, training first, with mine/ elsewhere and one epoch."""
    mine = tmp_path / "mine"
    _write_vessels(mine, (ROOT / "docs/own_vessels.md").read_text(encoding="utf-8"))
    commands = list(_commands("docs/own_vessels.md"))
    for words in sorted(commands, key=lambda words: words[4] != "training"):
        words = [re.sub(r"^mine\b", str(mine), word) for word in words]
        small = SMALL.get(words[4], {}) | ({"patches_per_epoch": 8} if words[4] == "training" else {})
        _run(words, small | SMALLER["kidney_vasculature"])
    assert (mine / "model" / "evaluation" / "metrics.json").is_file()
    assert len((mine / "results" / "vessels.csv").read_text().splitlines()) == 1 + 4
    assert {path.name for path in (mine / "results").iterdir()} == {
        "k1",
        "k2",
        "k3",
        "k4",
        "submission.csv",
        "vessels.csv",
    }


def _write_chests(folder, text):
    """The folder that docs/own_chest_ct.md supposes, with the page's own datalist."""
    chests = write_chests(folder / "contest")
    (folder / "scans").mkdir()
    rows = (chests / "annotations.csv").read_text()
    for number, name in ((1, "a01"), (2, "b01"), (3, "c01"), (4, "d01"), (801, "e01")):
        [path] = chests.rglob(f"LKDS-{number:05d}.mhd")
        for file in (path, path.with_suffix(".raw")):
            shutil.copy(file, folder / "scans" / f"{name}{file.suffix}")
        header = folder / "scans" / f"{name}.mhd"
        header.write_text(header.read_text().replace(path.stem, name))
        rows = rows.replace(path.stem, name)
    (folder / "annotations.csv").write_text(
        "\n".join(row for row in rows.splitlines() if "LKDS" not in row) + "\n"
    )
    hu = np.fromfile(folder / "scans" / "b01.raw", "<i2").reshape(44, 64, 80)
    affine = np.diag([-2.0, -2, 2, 1])
    affine[:3, 3] = 80, 50, -300
    nib.save(nib.Nifti1Image(hu.T, affine), folder / "scans" / "b01.nii.gz")
    for ending in ("mhd", "raw"):
        (folder / "scans" / f"b01.{ending}").unlink()
    shutil.rmtree(chests)
    found = json.loads(re.search(r"^```json\n(.*?)^```", text, re.S | re.M)[1])
    (folder / "datalist.json").write_text(json.dumps(found))


CHEST_RESULTS = {"cases.csv", "nodules.csv", "predictions.csv", "a01", "b01", "c01", "d01", "e01"}


def test_own_chest_ct_runs_from_a_datalist_to_ranked_lists(tmp_path):
    """Every command of the page, finding nodules last but two, with mine/ elsewhere and an epoch or three."""
    mine = tmp_path / "mine"
    _write_chests(mine, (ROOT / "docs/own_chest_ct.md").read_text(encoding="utf-8"))
    find, *commands = _commands("docs/own_chest_ct.md")
    for words in [*commands[:-2], find, *commands[-2:]]:
        words = [re.sub(r"^mine\b", str(mine), word) for word in words]
        if words[0] == "tomobundles":
            assert cli.main(words[1:]) == 0
            continue
        small = dict(SMALLER["lung_nodule"])
        if words[4] == "training":
            first = words[-1] == str(mine / "model")
            small |= {"epochs": 6 if first else 1, "crops_per_epoch": 64 if first else 8, "batch_size": 8}
            second = "second_stage" in " ".join(words)
            small |= {} if second else {name: TINY_DETECTOR[name] for name in ("crop_size",)}
            small["augmentation#elastic"] = 0.3
        _run(words, small)
    for name in ("model", "last", "second"):
        assert (mine / name / "models" / "model.pt").is_file()
    assert (mine / "second" / "evaluation" / "metrics.json").is_file()
    for name in ("results", "two_stage_results"):
        assert {path.name for path in (mine / name).iterdir()} == CHEST_RESULTS
        assert len((mine / name / "cases.csv").read_text().splitlines()) == 1 + 5
    assert json.loads((mine / "froc" / "metrics.json").read_text())["cpm"] is not None
