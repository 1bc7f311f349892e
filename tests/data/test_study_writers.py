# SPDX-License-Identifier: Apache-2.0
import pytest

from tomobundles.data.study_writers import STUDY_FORMS, write_study
from tomobundles.utils import InputError

from .study_results import make_study


def test_everything_lies_in_the_study_folder(tmp_path):
    written = write_study(make_study(), tmp_path)
    assert [path.relative_to(tmp_path / "case1").as_posix() for path in written] == [
        "case1_slices.csv",
        "case1_patient.csv",
        "case1_SDH_heatmap.nii.gz",
        "case1_key_slices.png",
        "case1_score_map.png",
        "case1.html",
    ]
    assert sorted(written) == sorted((tmp_path / "case1").iterdir())


@pytest.mark.parametrize(
    ("output", "count"), [("csv", 2), ("heatmaps", 1), ("contact_sheet", 2), ("html", 1)]
)
def test_one_output(tmp_path, output, count):
    assert set(STUDY_FORMS) == {"csv", "heatmaps", "contact_sheet", "html"}
    assert len(write_study(make_study(), tmp_path, outputs=[output])) == count
    assert len(list((tmp_path / "case1").iterdir())) == count


def test_unknown_output(tmp_path):
    with pytest.raises(InputError, match="unknown output 'pdf'"):
        write_study(make_study(), tmp_path, outputs=["csv", "pdf"])
    assert not list(tmp_path.iterdir())


def test_one_slice(tmp_path):
    study = make_study()
    content = {name: values[..., :1] for name, values in study.probabilities.items() if name != "patient"}
    one = make_study(
        probabilities=content | {"patient": study.probabilities["patient"]},
        image=study.image[..., :1],
        cam=study.cam[..., :1],
        slice_names=["0"],
        slice_files=(),
        positions_mm=None,
    )
    assert len(write_study(one, tmp_path)) == 6  # SDH is called in the patient
