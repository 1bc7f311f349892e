# SPDX-License-Identifier: Apache-2.0
"""What a user sees who typed the README's command and got something wrong: three lines, no traceback."""

import json
import shutil

import pytest

from tests.helpers import OCT, bundle_run

TRAIN = OCT / "train.json"


def _first(folder):
    return sorted(folder.iterdir())[0]


def _missing_dataset_dir(data, tmp_path):
    return {"dataset_dir": tmp_path / "nowhere"}, "nowhere"


def _empty_dataset_dir(data, tmp_path):
    (tmp_path / "empty").mkdir()
    return {"dataset_dir": tmp_path / "empty"}, "empty"


def _missing_datalist(data, tmp_path):
    return {"datalist": tmp_path / "lost.json"}, "lost.json"


def _text_named_nifti(data, tmp_path):
    items = []
    for patient in "ABC":
        (data / f"{patient}.nii.gz").write_text("not a scan")
        items.append({"image": f"{patient}.nii.gz", "label": f"{patient}.nii.gz", "patient": patient})
    (tmp_path / "datalist.json").write_text(json.dumps({"training": items}))
    return {"datalist": tmp_path / "datalist.json"}, ".nii.gz"


def _mistyped_override(data, tmp_path):
    return {"learning_rte": 0.1}, "did you mean learning_rate?"


def _truncated_slice(data, tmp_path):
    # a validation volume: met only once training runs, by the threads that fill the cache
    path = _first(data / "Edema_validationset" / "original_images") / "2.bmp"
    path.write_bytes(path.read_bytes()[:-200])
    return {}, str(path)


def _missing_slice(data, tmp_path):
    folder = _first(data / "Edema_trainingset" / "original_images")
    (folder / "2.bmp").unlink()
    return {}, str(folder)


def _label_without_volume(data, tmp_path):
    folder = _first(data / "Edema_trainingset" / "original_images")
    shutil.rmtree(folder)
    return {}, f"{folder.stem}_labelMark"


@pytest.mark.parametrize(
    "spoil",
    [
        _missing_dataset_dir,
        _empty_dataset_dir,
        _missing_datalist,
        _text_named_nifti,
        _mistyped_override,
        _truncated_slice,
        _missing_slice,
        _label_without_volume,
    ],
    ids=lambda function: function.__name__.strip("_").replace("_", " "),
)
def test_one_short_message_and_a_failed_command(spoil, contest_dir, tmp_path):
    data = shutil.copytree(contest_dir, tmp_path / "data")
    overrides, named = spoil(data, tmp_path)
    given = {"dataset_dir": data, "output_dir": tmp_path / "out", "epochs": 1, "batch_size": 4} | overrides
    done = bundle_run("training", config_file=TRAIN, env={"TOMOBUNDLES_DEBUG": "0"}, **given)
    assert done.returncode == 1
    assert "Traceback" not in done.stdout + done.stderr
    before, _, message = done.stderr.rpartition("error: ")
    assert before == "" or before.endswith("\n")
    assert 0 < len(message.splitlines()) <= 3, done.stderr
    assert named in message
    assert not (tmp_path / "out" / "models" / "model.pt").exists()
