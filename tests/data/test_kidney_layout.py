# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from tomobundles.data import SenNetLayout, load_datalist
from tomobundles.utils import InputError


def kidney(root, name, *, images=(), labels=()):
    for kind, numbers in (("images", images), ("labels", labels)):
        for number in numbers:
            (root / name / kind).mkdir(parents=True, exist_ok=True)
            (root / name / kind / f"{number:04d}.tif").touch()
    return root / name


@pytest.fixture
def root(tmp_path):
    """The contest's folders with few slices: kidney_3 has 10, of which 4..6 are dense."""
    train = tmp_path / "train"
    kidney(train, "kidney_1_dense", images=range(4), labels=range(4))
    kidney(train, "kidney_1_voi", images=range(3), labels=range(3))
    kidney(train, "kidney_2", images=range(5), labels=range(5))
    kidney(train, "kidney_3_dense", labels=range(4, 7))
    kidney(train, "kidney_3_sparse", images=range(10), labels=range(10))
    kidney(tmp_path / "test", "kidney_5", images=range(3))
    kidney(tmp_path / "test", "kidney_6", images=range(3), labels=range(3))
    (train / "train_rles.csv").touch()
    return tmp_path


def short(item, root):
    return item | {key: str(Path(item[key]).relative_to(root)) for key in ("image", "label") if key in item}


K1 = {
    "image": "train/kidney_1_dense/images",
    "label": "train/kidney_1_dense/labels",
    "patient": "kidney_1",
    "spacing_um": 50.0,
    "annotated_fraction": 1.0,
}
K2 = {
    "image": "train/kidney_2/images",
    "label": "train/kidney_2/labels",
    "patient": "kidney_2",
    "spacing_um": 50.0,
    "annotated_fraction": 0.65,
}
DENSE = {
    "image": "train/kidney_3_sparse/images",
    "label": "train/kidney_3_dense/labels",
    "patient": "kidney_3",
    "spacing_um": 50.16,
    "annotated_fraction": 1.0,
    "slices": [4, 6],
}
SPARSE = [
    DENSE | {"label": "train/kidney_3_sparse/labels", "annotated_fraction": 0.85, "slices": slices}
    for slices in ([0, 3], [7, 9])
]


def sections(root, **options):
    found = SenNetLayout(**options)(root)
    return {name: [short(item, root) for item in items] for name, items in found.items()}


def test_the_contest_s_folders(root, caplog):
    caplog.set_level("INFO", "tomobundles")
    assert SenNetLayout().matches(root)
    found = sections(root)
    assert found["training"] == [K1, K2]
    assert found["validation"] == [DENSE]
    assert found["test"] == [
        {"image": "test/kidney_5/images", "patient": "kidney_5", "spacing_um": 50.28},
        {
            "image": "test/kidney_6/images",
            "label": "test/kidney_6/labels",
            "patient": "kidney_6",
            "spacing_um": 63.08,
            "annotated_fraction": 1.0,
        },
    ]
    assert "2 sparsely annotated parts of kidney_3 are left out" in caplog.text
    assert "kidney_1_voi is left out" in caplog.text


def test_another_kidney_validates(root):
    found = sections(root, validation="kidney_1", include_voi=True)
    voi = {key: value.replace("dense", "voi") for key, value in K1.items() if key in ("image", "label")}
    assert found["validation"] == [K1, K1 | voi | {"spacing_um": 5.2}]
    assert found["training"] == [K2, DENSE, *SPARSE]


@pytest.mark.parametrize("validation", [None, "kidney_9", "kidney_2"])
def test_without_a_dense_kidney_to_validate_all_is_for_training(root, validation):
    found = sections(root, validation=validation)
    assert found["training"] == [K1, K2, DENSE, *SPARSE]
    assert found["validation"] == []


def test_the_train_folder_itself(root):
    found = SenNetLayout()(root / "train")
    assert [len(found[name]) for name in ("training", "validation", "test")] == [2, 1, 0]


def test_only_test_kidneys(root):
    for path in sorted((root / "train").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    found = SenNetLayout()(root)
    assert (found["training"], len(found["test"])) == ([], 2)


def test_a_datalist_of_it_passes_the_checks(root):
    data = load_datalist(dataset_dir=root, layout=SenNetLayout(), sections=("training", "validation", "test"))
    assert [len(items) for items in data.values()] == [2, 1, 2]
    data = load_datalist(dataset_dir=root, layout=SenNetLayout(validation="kidney_1"))
    assert len(data["training"]) == 4


def test_sparse_labels_may_lack_the_dense_slices(root):
    for number in (4, 5, 6):
        (root / f"train/kidney_3_sparse/labels/{number:04d}.tif").unlink()
    assert sections(root, validation=None)["training"][2:] == [DENSE, *SPARSE]


def test_without_its_dense_part_a_sparse_kidney_is_whole(root):
    for file in (root / "train/kidney_3_dense/labels").iterdir():
        file.unlink()
    whole = {key: value for key, value in SPARSE[0].items() if key != "slices"}
    assert sections(root)["training"] == [K1, K2, whole]


def test_a_dense_kidney_with_images_of_its_own_takes_none_from_the_sparse_one(root):
    kidney(root / "train", "kidney_3_dense", images=range(4, 7))
    own = DENSE | {"image": "train/kidney_3_dense/images"}
    own.pop("slices")
    assert sections(root)["validation"] == [own]


def test_the_user_s_own_kidneys(tmp_path):
    kidney(tmp_path, "pig", images=range(1, 4), labels=range(1, 4))
    kidney(tmp_path, "kidney_12_b", images=range(2), labels=range(2))
    (tmp_path / "kidneys.json").write_text('{"pig": {"spacing_um": [40, 20, 20], "annotated_fraction": 0.5}}')
    first, second = sections(tmp_path)["training"]
    assert (first["patient"], first["annotated_fraction"], "spacing_um" in first) == ("kidney_12", 1.0, False)
    assert (second["patient"], second["annotated_fraction"]) == ("pig", 0.5)
    assert second["spacing_um"] == [40, 20, 20]


def test_facts_override_the_contest_s(root):
    found = sections(root, facts={"kidney_2": {"annotated_fraction": 1}}, validation="kidney_2")
    assert found["validation"] == [K2 | {"annotated_fraction": 1}]


@pytest.mark.parametrize(
    ("gone", "named", "message"),
    [
        ("kidney_2/labels/0003", "kidney_2/images/0003", "image without a label of its number"),
        ("kidney_2/images/0004", "kidney_2/labels/0004", "label without an image of its number"),
        ("kidney_3_sparse/images/0009", "kidney_3_sparse/labels/0009", "label without an image"),
        ("kidney_3_sparse/labels/0001", "kidney_3_sparse/images/0001", "image without a label"),
        ("kidney_2/images/0003", "kidney_2/images", "slices are missing: number 3"),
    ],
)
def test_pairs_that_do_not_match(root, gone, named, message):
    (root / "train" / f"{gone}.tif").unlink()
    with pytest.raises(InputError, match=rf"(?s){named}.*{message}|{message}.*{named}"):
        SenNetLayout()(root)


def test_dense_labels_beyond_the_images(root):
    kidney(root / "train", "kidney_3_dense", labels=(10, 11))
    for number in range(4, 7):
        (root / f"train/kidney_3_dense/labels/{number:04d}.tif").unlink()
    with pytest.raises(InputError, match=r"(?s)label without an image.*like 1 more"):
        SenNetLayout()(root)


def test_labels_without_any_images(root):
    for file in (root / "train/kidney_2/images").iterdir():
        file.unlink()
    with pytest.raises(InputError, match=r"(?s)kidney_2.*labels without images"):
        SenNetLayout()(root)


def test_test_kidneys_are_paired_too(root):
    (root / "test/kidney_6/labels/0002.tif").unlink()
    with pytest.raises(InputError, match=r"image without a label"):
        SenNetLayout()(root)
    (root / "test/kidney_6/images/0002.tif").unlink()
    (root / "test/kidney_6/images/0001.tif").unlink()
    with pytest.raises(InputError, match=r"label without an image"):
        SenNetLayout()(root)


def test_a_file_without_a_number(root):
    (root / "train/kidney_2/labels/overview.tif").touch()
    with pytest.raises(InputError, match=r"(?s)overview\.tif.*no number|no number.*overview\.tif"):
        SenNetLayout()(root)


def test_no_kidneys(tmp_path):
    (tmp_path / "train" / "kidney_1" / "images").mkdir(parents=True)
    (tmp_path / "train" / "kidney_1" / "images" / ".DS_Store").touch()
    assert not SenNetLayout().matches(tmp_path)
    with pytest.raises(InputError, match="neither a datalist nor the contest's folders"):
        SenNetLayout()(tmp_path)
