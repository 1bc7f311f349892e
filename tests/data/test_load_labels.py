# SPDX-License-Identifier: Apache-2.0
import logging

import numpy as np
import pytest
import torch
from monai.data import MetaTensor

from tomobundles.data.label_csv import parse_row, read_table
from tomobundles.data.load_labels import LoadSliceLabelsd, label_tables
from tomobundles.data.slice_labels import CLASS_NAMES, CLASSES, canonical_class
from tomobundles.utils import InputError

NAN = np.nan
ZERO = dict.fromkeys(CLASSES, 0)


def volume(names, **meta):
    meta = {"slice_names": list(names), "filename_or_obj": "scans/P1"} | meta
    return MetaTensor(torch.zeros(1, 2, 2, len(names)), meta=meta)


def load(label, names="abc", **meta):
    return LoadSliceLabelsd()({"image": volume(names, **meta), "label": label})


def rows(table):
    return {name: row.tolist() for name, row in zip(CLASS_NAMES, table, strict=True)}


def test_slices_are_found_by_name_and_what_is_unknown_is_nan():
    result = load({"slices": {"c": ZERO | {"SDH": 1}, "a": ZERO}})
    assert result["label"].dtype == result["study_label"].dtype == torch.float32
    assert result["label"].shape == (6, 3)
    assert result["study_label"].shape == (6,)
    expected = torch.tensor([[0, NAN, 0]] * 3 + [[0, NAN, 1]] + [[0, NAN, 0]] + [[0, NAN, 1]])
    torch.testing.assert_close(result["label"], expected, equal_nan=True)
    # SDH and any are seen on a slice; the others may yet be on the slice without label
    torch.testing.assert_close(
        result["study_label"], torch.tensor([NAN, NAN, NAN, 1, NAN, 1]), equal_nan=True
    )


def test_the_order_of_the_label_does_not_matter():
    slices = {"a": ZERO, "b": ZERO | {"EDH": 1}, "c": {"IPH": 1}}
    forward, backward = load({"slices": slices}), load({"slices": dict(reversed(slices.items()))})
    torch.testing.assert_close(forward["label"], backward["label"], equal_nan=True)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"IPH": 1}, 1),  # one class is enough, whatever is unknown
        ({"IPH": 1, "any": 1}, 1),
        (ZERO, 0),
        (ZERO | {"any": 0}, 0),
        (ZERO | {"SDH": None}, NAN),
        (ZERO | {"SDH": None, "any": 1}, 1),
        ({"any": 0}, 0),
        ({"any": None}, NAN),
        ({}, NAN),
    ],
)
def test_any_of_a_slice(values, expected):
    table, _ = label_tables({"slices": {"a": values}}, ["a"])
    np.testing.assert_equal(table[5, 0], np.float32(expected))


def test_any_of_a_slice_fills_no_class():
    table, study = label_tables({"slices": {"a": {"IPH": 0, "any": 0}}}, ["a"])
    np.testing.assert_equal(table[:, 0], np.array([0, NAN, NAN, NAN, NAN, 0], np.float32))
    np.testing.assert_equal(study, table[:, 0])


def test_what_the_study_does_not_have_is_on_none_of_its_slices():
    label = {"study": {"EDH": 0}, "slices": {"a": dict.fromkeys(("IPH", "IVH", "SAH", "SDH"), 0)}}
    table, study = label_tables(label, ["a", "b"])
    assert rows(table)["EDH"] == [0, 0]
    np.testing.assert_equal(table[5], [0, NAN])  # slice a: four by its label, EDH by the study's
    np.testing.assert_equal(study, [NAN, NAN, NAN, NAN, 0, NAN])


def test_a_normal_study_is_normal_on_each_slice():
    for study in ({"any": 0}, ZERO):
        table, whole = label_tables({"study": study}, ["a", "b"])
        assert (table == 0).all()
        assert (whole == 0).all()


def test_a_bleed_known_of_the_study_alone_leaves_its_slices_unknown():
    table, study = label_tables({"study": {"SAH": 1, "EDH": 0}}, ["a", "b"])
    assert np.isnan(table[[0, 1, 2, 3, 5]]).all()
    np.testing.assert_equal(study, [NAN, NAN, 1, NAN, 0, 1])


def test_a_study_whose_slices_are_all_known():
    _, study = label_tables({"slices": {"a": ZERO, "b": ZERO | {"IVH": 1}}}, ["a", "b"])
    assert study.tolist() == [0, 1, 0, 0, 0, 1]


def test_some_classes_only_but_any_of_all():
    transform = LoadSliceLabelsd(class_names=("SDH", "IPH"))
    result = transform({"image": volume("a"), "label": {"slices": {"a": ZERO | {"EDH": 1}}}})
    assert result["label"].tolist() == [[0], [0], [1]]
    assert result["study_label"].tolist() == [0, 0, 1]


def test_a_table_on_disk_and_file_names_of_dicom_slices(tmp_path):
    path = tmp_path / "P1.csv"
    path.write_text("slice,SDH\nIM001.dcm,1\n1.2.2,0\n")
    image = volume(["1.2.1", "1.2.2"], slice_files=["series/IM001.dcm", "series/IM000.dcm"])
    result = LoadSliceLabelsd()({"image": image, "label": str(path)})
    assert result["label"][3].tolist() == [1, 0]


def test_stems_that_are_not_unique_name_nothing():
    with pytest.raises(InputError, match="slice that the volume lacks: 'IM1'"):
        load({"slices": {"IM1": ZERO}}, names="ab", slice_files=["x/IM1.dcm", "y/IM1.dcm"])


def test_without_label_nothing_happens():
    item = {"image": volume("a"), "other": 1}
    assert LoadSliceLabelsd()(item).keys() == item.keys()
    assert LoadSliceLabelsd()(item | {"label": None})["label"] is None


def test_unlabelled_slices_are_reported_once(caplog):
    transform = LoadSliceLabelsd()
    with caplog.at_level(logging.INFO, logger="tomobundles"):
        for _ in range(2):
            transform({"image": volume("abc"), "label": {"slices": {"a": ZERO}}})
    assert [record.getMessage() for record in caplog.records] == ["scans/P1: 2 of 3 slices without label"]


@pytest.mark.parametrize(
    ("label", "message"),
    [
        ({"slices": {"d": ZERO}}, "slice that the volume lacks: 'd' .it has 3"),
        ({"slices": {"a": ZERO, "a.png": ZERO}}, r"two labels for slice a\.png"),
        ({"study": {"SDH": 1}, "slices": dict.fromkeys("abc", ZERO)}, "study's label says SDH, but all its"),
        ({"study": {"any": 1}, "slices": dict.fromkeys("abc", ZERO)}, "study's label says any, but all its"),
        ({"study": {"EDH": 0}, "slices": {"a": {"EDH": 1}}}, "slice a: EDH is 1, but the study"),
        (
            {"study": {"EDH": 0}, "slices": {"a": dict.fromkeys(CLASSES[:4], 0) | {"any": 1}}},
            "slice a: any is 1 but all five classes are 0",
        ),
    ],
)
def test_labels_that_do_not_fit(label, message):
    with pytest.raises(InputError, match=rf"(?s)scans.P1.*{message}"):
        load(label)


def test_a_table_that_does_not_fit_is_named(tmp_path):
    path = tmp_path / "P1.csv"
    path.write_text("slice,SDH\n3,1\n")
    with pytest.raises(InputError, match=r"(?s)P1\.csv.*lacks: '3'.*count from 0"):
        load(str(path), names="012")


def test_volumes_without_names_of_slices():
    with pytest.raises(InputError, match=r"(?s)volume.*0 slice names for 2 slices"):
        LoadSliceLabelsd()({"image": torch.zeros(1, 2, 2, 2), "label": {"study": {}}})
    with pytest.raises(InputError, match="1 slice names for 2 slices"):
        load({"study": {}}, names="aa")


@pytest.mark.parametrize("names", [(), ("IPH", "intraparenchymal"), ("IPH", "any")])
def test_bad_class_names(names):
    with pytest.raises(InputError, match="class_names"):
        LoadSliceLabelsd(class_names=names)


def test_real_labels_of_ct_ich(real_data):
    path = real_data / "ich" / "slice_labels.csv"
    if not path.is_file():
        pytest.skip(f"no {path}")
    names = ("any", "epidural", "intraparenchymal", "intraventricular", "subarachnoid", "subdural")
    columns = {name: canonical_class(name) for name in names}
    studies = {}
    for line, row in read_table(path, needed=("patient", "slice", *names)):
        if row["source"] == "ctich":
            values = parse_row(row, columns, path=path, line=line)
            studies.setdefault(row["patient"], {})[row["slice"]] = values
    assert len(studies) == 31
    positives = np.zeros(6)
    for slices in studies.values():
        without_any = {name: values | {"any": None} for name, values in slices.items()}
        table, study = label_tables({"slices": without_any}, list(slices))
        assert table[5].tolist() == [values["any"] for values in slices.values()]
        assert study.tolist() == table.max(axis=1).tolist()
        positives += table.sum(axis=1)
    # the counts in the data's README: IPH 49, IVH 18, SAH 9, SDH 41, EDH 139, any 235
    assert positives.tolist() == [49, 18, 9, 41, 139, 235]
