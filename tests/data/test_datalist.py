# SPDX-License-Identifier: Apache-2.0
import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from tomobundles.data import AIChallengerLayout, find_volumes, load_datalist, save_datalist
from tomobundles.utils import InputError

from .conftest import write_slices

LAYOUT = AIChallengerLayout()


def _load(root, **kwargs):
    return load_datalist(dataset_dir=root, layout=LAYOUT, **kwargs)


def _write_json(root, content):
    path = root / "datalist.json"
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def test_contest_layout_pairs_by_name_and_knows_patients(contest):
    data = _load(contest)
    assert [item["patient"] for item in data["training"]] == ["P1", "P1", "P2"]
    for item in data["training"] + data["validation"]:
        assert Path(item["label"]).name == Path(item["image"]).name.replace(".img", "_labelMark")
    assert data["test"] == []


def test_a_relative_folder_is_the_same(contest, monkeypatch):
    monkeypatch.chdir(contest.parent)
    assert _load(contest.name) == _load(contest)
    assert find_volumes(dataset_dir=contest.name, layout=LAYOUT, section="validation")


def test_without_a_validation_set_patients_are_split(contest):
    shutil.rmtree(contest / "Edema_validationset")
    data = _load(contest, validation_fraction=0.5, seed=3)
    patients = [{item["patient"] for item in data[section]} for section in ("training", "validation")]
    assert patients[0] | patients[1] == {"P1", "P2"}
    assert not patients[0] & patients[1]
    assert data == _load(contest, validation_fraction=0.5, seed=3)


def test_explicit_datalist_and_round_trip(contest):
    items = _load(contest)
    save_datalist(contest / "lists" / "mine.json", items, dataset_dir=contest)
    stored = json.loads((contest / "lists" / "mine.json").read_text())
    assert stored["training"][0]["image"] == "Edema_trainingset/original_images/P1_a.img"
    assert load_datalist(dataset_dir=contest, datalist=contest / "lists" / "mine.json") == items


def test_paths_outside_the_folder_are_written_whole(contest, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    save_datalist(elsewhere / "d.json", _load(contest), dataset_dir=elsewhere)
    assert load_datalist(dataset_dir=elsewhere, datalist=elsewhere / "d.json") == _load(contest)


def test_patient_defaults_to_the_volume(contest):
    image = "Edema_trainingset/original_images/P1_a.img"
    datalist = _write_json(contest, {"test": [{"image": image, "label": None}]})
    data = load_datalist(dataset_dir=contest, datalist=datalist, sections=("test",))
    assert data["test"] == [{"image": str(contest / image), "patient": "P1_a.img"}]


def test_images_from_zero_and_labels_from_one(contest):
    folder = contest / "Edema_validationset/original_images/P3_a.img"
    shutil.rmtree(folder)
    write_slices(folder, np.zeros((3, 6, 5), np.uint8), first=0)
    assert len(_load(contest)["validation"]) == 1


def test_folder_absent_empty_or_of_another_layout(tmp_path):
    with pytest.raises(InputError, match=r"(?s)absent.*not a folder"):
        _load(tmp_path / "absent")
    with pytest.raises(InputError, match="is empty"):
        _load(tmp_path)
    (tmp_path / "other").mkdir()
    with pytest.raises(InputError, match="neither a datalist nor the contest's folders"):
        _load(tmp_path)
    with pytest.raises(InputError, match="no datalist given"):
        load_datalist(dataset_dir=tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not valid JSON"),
        ("[]", "not a datalist"),
        ({"training": {"image": "x"}}, "not a datalist"),
        ({"training": []}, "not a datalist"),
        ({"training": [{"label": "x"}]}, "label without a volume"),
        ({"training": [{"patient": "x"}]}, "item without an image"),
        ({"training": [{"image": "nowhere.nii.gz"}]}, r"(?s)nowhere\.nii\.gz.*not on disk"),
    ],
)
def test_bad_datalists(contest, content, message):
    with pytest.raises(InputError, match=message):
        load_datalist(dataset_dir=contest, datalist=_write_json(contest, content))


def test_missing_datalist(contest):
    with pytest.raises(InputError, match=r"(?s)none\.json.*cannot read"):
        load_datalist(dataset_dir=contest, datalist=contest / "none.json")


def test_volume_without_label_and_the_reverse(contest):
    label = contest / "Edema_trainingset/label_images/P1_a_labelMark"
    image = contest / "Edema_trainingset/original_images/P1_a.img"
    shutil.move(label, contest / "aside")
    with pytest.raises(InputError, match=r"(?s)P1_a\.img.*without a label"):
        _load(contest)
    shutil.move(contest / "aside", label)
    shutil.rmtree(image)
    with pytest.raises(InputError, match=r"(?s)P1_a_labelMark.*without a volume"):
        _load(contest)


def test_unlabelled_volume_in_a_training_section(contest):
    data = {"training": [{"image": "Edema_trainingset/original_images/P1_a.img"}]}
    with pytest.raises(InputError, match="without a label in the training section"):
        load_datalist(dataset_dir=contest, datalist=_write_json(contest, data), sections=("training",))


def test_label_lacks_a_slice(contest):
    (contest / "Edema_trainingset/label_images/P1_a_labelMark/3.bmp").unlink()
    with pytest.raises(InputError, match=r"(?s)P1_a_labelMark.*3 slices, 2 label slices.*first at 3"):
        _load(contest)


def test_empty_training_split(contest):
    shutil.rmtree(contest / "Edema_trainingset")
    with pytest.raises(InputError, match="training section is empty"):
        _load(contest)


def test_patient_on_both_sides(contest):
    for kind, ending in (("original_images", ".img"), ("label_images", "_labelMark")):
        shutil.copytree(
            contest / f"Edema_trainingset/{kind}/P1_a{ending}",
            contest / f"Edema_validationset/{kind}/P1_c{ending}",
        )
    with pytest.raises(InputError, match="patient P1 is in both training and validation"):
        _load(contest)


def test_find_volumes_wherever_the_user_points(contest):
    images = contest / "Edema_trainingset" / "original_images"
    assert [item["patient"] for item in find_volumes(dataset_dir=images)] == [
        "P1_a.img",
        "P1_b.img",
        "P2_a.img",
    ]
    assert len(find_volumes(dataset_dir=images / "P1_a.img")) == 1
    (contest / "flat").mkdir()
    np.save(contest / "flat" / "v.npy", np.zeros((2, 3, 3)))
    assert find_volumes(dataset_dir=contest / "flat")[0]["image"].endswith("v.npy")
    found = find_volumes(dataset_dir=contest, layout=LAYOUT, section="validation")
    assert [item["patient"] for item in found] == ["P3"]
    assert "label" not in found[0]


def test_nothing_to_infer(contest, tmp_path_factory):
    with pytest.raises(InputError, match="no such file"):
        find_volumes(dataset_dir=contest / "absent")
    with pytest.raises(InputError, match="no volume found here"):
        find_volumes(dataset_dir=tmp_path_factory.mktemp("none"))
    with pytest.raises(InputError, match="test section is empty"):
        find_volumes(dataset_dir=contest, layout=LAYOUT)
