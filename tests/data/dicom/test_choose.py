# SPDX-License-Identifier: Apache-2.0
import pickle

import pytest
from pydicom.uid import BasicTextSRStorage

from tomobundles.data.dicom import Refusal, Series, SeriesPreference, resolve_series, resolve_studies
from tomobundles.utils import InputError

from .builder import SERIES, STUDY, ct_slices, save

CORONAL = {"row": (1, 0, 0), "column": (0, 0, -1)}


def uid(name):
    return f"1.2.3.{int.from_bytes(name[:2].encode())}"


def write_study(folder, **series):
    """Write series name=options of ct_slices below one folder."""
    for name, options in series.items():
        save(folder / name, ct_slices(series=uid(name), **options))
    return folder


def report(folder):
    datasets = ct_slices(1, series="1.2.3.77", Modality="SR", SOPClassUID=BasicTextSRStorage)
    del datasets[0].Rows, datasets[0].Columns
    return save(folder, datasets)


def test_a_hospital_study(tmp_path):
    write_study(
        tmp_path,
        scout={"depth": 2, "ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"], **CORONAL},
        bone={"kernel": "H60s"},
        thin={"depth": 40, "step_mm": 1.0, "thickness_mm": 1.0},
        soft={},
        agent={"ContrastBolusAgent": "Iohexol"},
        fine={"depth": 14, "step_mm": 3.0, "thickness_mm": 3.0},
        coronal=CORONAL,
        mpr={"ImageType": ["DERIVED", "SECONDARY", "MPR"]},
        monitor={"depth": 2},
        mr={"Modality": "MR"},
    )
    report(tmp_path / "report")
    series = resolve_series(tmp_path)
    assert series.series_uid == uid("soft")
    assert series.reason == (
        "best of 4 candidates (nearest to 5 mm): axial CT, 8 slices of 5 mm, soft kernel (H31s)"
    )
    why = {line.split()[1]: line.rsplit(": ", 1)[1] for line in series.dropped}
    assert why == {
        uid("scout"): "localizer image",
        uid("bone"): "sharp kernel (H60s), not soft",
        uid("thin"): "thickness of 3 to 6 mm preferred",
        uid("fine"): "nearest to 5 mm preferred",
        uid("agent"): "without contrast agent preferred",
        uid("coronal"): "coronal, not axial",
        uid("mpr"): "derived image (DERIVED/SECONDARY/MPR)",
        uid("monitor"): "covers only 10 mm",
        uid("mr"): "modality MR where CT is expected",
    }


def test_the_preference_is_configurable(tmp_path):
    write_study(
        tmp_path,
        soft={},
        bone={"kernel": "H60s", "thickness_mm": 1.0},
        agent={"ContrastBolusAgent": "Iohexol"},
        coronal=CORONAL,
        odd={"kernel": "XYZ", "Modality": "PT"},
    )

    def chosen(**options):
        return resolve_series(tmp_path, preference=SeriesPreference(**options)).series_uid

    assert chosen() == uid("soft")
    assert chosen(kernel="sharp") == uid("bone")
    assert chosen(kernel="any", thickness_mm=(0.5, 1.5), nearest_mm=1.0) == uid("bone")
    assert chosen(contrast=True) == uid("agent")
    assert chosen(plane="coronal") == uid("coronal")
    assert chosen(modality="PT") == uid("odd")
    with pytest.raises(InputError, match="2 series fit equally well"):
        chosen(contrast=None)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"plane": "oblique"}, "plane is 'oblique'"),
        ({"kernel": "bone"}, "kernel is 'bone'"),
        ({"first_kernel": "any"}, "first_kernel is 'any'"),
        ({"thickness_mm": (6, 3)}, r"thickness_mm is \(6, 3\)"),
        ({"thickness_mm": (3,)}, r"thickness_mm is \(3,\)"),
    ],
)
def test_preferences_that_mean_nothing(options, said):
    with pytest.raises(InputError, match=said):
        SeriesPreference(**options)


def test_two_equally_good_series_are_not_guessed(tmp_path):
    write_study(tmp_path, a={}, b={}, c={})
    with pytest.raises(
        InputError, match=r"3 series fit equally well(?s:.)*1\.2\.3\.97, 1\.2\.3\.98 and 1 more"
    ):
        resolve_series(tmp_path)
    series = resolve_series(tmp_path, series_uid=uid("b"))
    assert series.series_uid == uid("b")
    assert series.reason.startswith("named by the user")
    assert series.dropped == ()


def test_a_known_kernel_goes_before_an_unknown_one(tmp_path):
    write_study(tmp_path, a={"kernel": "XYZ"}, b={})
    assert resolve_series(tmp_path).series_uid == uid("b")


def test_the_first_kernel_decides_last(tmp_path):
    """The usual chest study: one scan, a soft and a sharp series of it, equally thin."""
    write_study(tmp_path, a={"kernel": "B70f"}, b={"kernel": "B30f"})
    anyone = {"kernel": "any", "thickness_mm": (3, 6)}
    with pytest.raises(InputError, match="2 series fit equally well"):
        resolve_series(tmp_path, preference=SeriesPreference(**anyone))
    for kernel, name in (("soft", "b"), ("sharp", "a")):
        series = resolve_series(tmp_path, preference=SeriesPreference(**anyone, first_kernel=kernel))
        assert series.series_uid == uid(name)
        assert f"best of 2 candidates ({kernel} kernel)" in series.reason
    write_study(tmp_path, c={"kernel": "B70f", "thickness_mm": 4.0})
    nearest = SeriesPreference(**anyone, nearest_mm=4.0, first_kernel="soft")
    assert resolve_series(tmp_path, preference=nearest).series_uid == uid("c")


def test_the_complete_series_of_two(tmp_path):
    folder = write_study(tmp_path, broken={}, whole={})
    (folder / "broken" / "003.dcm").unlink()
    series = resolve_series(folder)
    assert series.series_uid == uid("whole")
    assert series.dropped[0].endswith("1 slice missing between 22.5 and 32.5 mm")


def test_a_part_of_the_head_does_not_stand_in_for_a_faulty_whole(tmp_path):
    folder = write_study(tmp_path, broken={}, part={"depth": 3})
    (folder / "broken" / "003.dcm").unlink()
    with pytest.raises(InputError, match="1 slice missing"):
        resolve_series(folder)


def test_only_other_thicknesses_are_taken_and_noted(tmp_path):
    write_study(tmp_path, a={"thickness_mm": 10.0, "step_mm": 10.0, "depth": 4}, b={"thickness_mm": 7.0})
    series = resolve_series(tmp_path)
    assert series.series_uid == uid("b")
    assert [f.message for f in series.findings if f.code == "thickness_outside"] == [
        "7 mm thick, not 3 to 6 mm"
    ]


def test_thickness_from_the_spacing_or_unknown(tmp_path):
    series = resolve_series(write_study(tmp_path / "1", a={"thickness_mm": None}))
    assert "5 mm" in series.description
    one = resolve_series(write_study(tmp_path / "2", a={"thickness_mm": None, "depth": 1, "kernel": ""}))
    assert "unknown thickness, kernel not given" in one.description
    assert one.extent_mm == 1.0


def test_a_series_named_by_the_user_may_be_unlike_the_preference(tmp_path):
    write_study(tmp_path, soft={}, bone={"kernel": "H60s"})
    series = resolve_series(tmp_path, series_uid=uid("bone"))
    assert "sharp kernel (H60s), not soft" in [finding.message for finding in series.findings]


@pytest.mark.parametrize(
    ("series", "said"),
    [
        (
            {"a": {"kernel": "FC30"}},
            r"sharp kernel \(FC30\), not soft\nname a series by series_uid, or change",
        ),
        (
            {"a": {"Modality": "MR"}},
            r"modality MR where CT is expected\ngive a study that has one \(axial CT\)",
        ),
        ({"a": {"Modality": ""}}, "modality not given"),
        ({"a": {"NumberOfFrames": 3}}, r"multi-frame(?s:.)*emf2sf"),
        ({"a": CORONAL, "b": CORONAL, "c": CORONAL}, "coronal, not axial; series .*; and 1 more"),
    ],
)
def test_no_candidate(tmp_path, series, said):
    with pytest.raises(InputError, match=said):
        resolve_series(write_study(tmp_path, **series))


def test_a_screenshot_in_the_series_of_the_scan(tmp_path):
    datasets = ct_slices()
    picture = ct_slices(1, ImageType=["DERIVED", "SECONDARY"], SOPInstanceUID="1.2.3.5")
    del picture[0].ImageOrientationPatient
    series = resolve_series(save(tmp_path, [*datasets, *picture]))
    assert len(series.slices) == 8
    assert len(series.dropped) == 1


def test_named_series_that_is_no_candidate(tmp_path):
    write_study(tmp_path, a={}, mr={"Modality": "MR"})
    with pytest.raises(InputError, match="modality MR"):
        resolve_series(tmp_path, series_uid=uid("mr"))
    with pytest.raises(InputError, match=r"no series 1\.9 here\nthere are: 1\.2\.3\.28018, 1\.2\.3\.97"):
        resolve_series(tmp_path, series_uid="1.9")


def test_no_image_at_all(tmp_path):
    with pytest.raises(InputError, match=r"no DICOM image here \(0 other files\)"):
        resolve_series(tmp_path)
    report(tmp_path / "report")
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(InputError, match=r"no DICOM image here \(2 other files\)"):
        resolve_series(tmp_path)
    (tmp_path / "a.dcm").write_bytes(b"x")
    with pytest.raises(InputError, match=r"(?s)a\.dcm.*no readable DICOM image; 1 file damaged: not a DICOM"):
        resolve_series(tmp_path)


def test_several_studies(tmp_path):
    save(tmp_path / "a", ct_slices())
    save(tmp_path / "b", ct_slices(study="1.3", series="1.3.1", patient="MRN-2"))
    broken = ct_slices(study="1.4", series="1.4.1", patient="")
    del broken[3]
    save(tmp_path / "c", broken)
    with pytest.raises(InputError, match="3 studies of 3 patients in one folder"):
        resolve_series(tmp_path)
    assert resolve_series(tmp_path, series_uid="1.3.1").study_uid == "1.3"
    first, second, third = resolve_studies(tmp_path)
    assert isinstance(first, Series)
    assert (first.study_uid, second.study_uid) == (STUDY, "1.3")
    assert first.patient != second.patient
    assert isinstance(third, Refusal)
    assert (third.study_uid, third.reason) == (
        "1.4",
        "series 1.4.1: 1 slice missing between 22.5 and 32.5 mm",
    )
    assert third.dropped[0].startswith(
        "series 1.4.1 (axial CT, 7 slices of 5 mm, soft kernel (H31s)): 1 slice"
    )
    assert all(isinstance(one, Series) for one in resolve_studies(tmp_path, accept=["missing_slice"]))


def test_a_tie_in_one_of_several_studies(tmp_path):
    write_study(tmp_path, a={}, b={})
    (refusal,) = resolve_studies(tmp_path)
    assert [line.rsplit(": ", 1)[1] for line in refusal.dropped] == ["not unique", "not unique"]


def test_mixed_series_and_studies_are_never_merged(tmp_path):
    """Files of two series in one flat folder, alternating."""
    save(tmp_path, ct_slices(series="1.2.3.4"), name="{:03d}a.dcm".format)
    save(tmp_path, ct_slices(series="1.2.3.5", kernel="H60s"), name="{:03d}b.dcm".format)
    series = resolve_series(tmp_path)
    assert {header.series_uid for header in series.slices} == {SERIES}
    assert len(series.slices) == 8


def test_errors_cross_processes(tmp_path):
    datasets = ct_slices()
    del datasets[3]
    (refusal,) = resolve_studies(save(tmp_path, datasets))
    assert str(pickle.loads(pickle.dumps(refusal.error))) == str(refusal.error)


def test_real_tilted_series(real_data):
    folder = real_data / "ich" / "dicom"
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    for name, step, first in (("GE-HEAD-A", 4.22, 5.8360586), ("GE-HEAD-B", 7.38, 61.8360586)):
        series = resolve_series(folder / name)
        assert len(series.slices) == 14
        assert series.tilt_deg == pytest.approx(18.5, abs=0.01)  # as GantryDetectorTilt says
        assert series.affine[:3, 2] == pytest.approx([0, 0, step])  # the table's way, sheared to the slices
        assert series.affine[2, 3] == pytest.approx(first)
        assert "gantry_tilt" in series.codes
    # one SeriesInstanceUID for 4 mm and 7 mm slices
    with pytest.raises(InputError, match=r"SliceThickness in mm: 4\.0 \(14\), 7\.0 \(14\)"):
        resolve_series(folder)


def test_another_part_of_the_body_is_taken_and_noted(tmp_path):
    folder = save(tmp_path, ct_slices(BodyPartExamined="CHEST"))
    (finding,) = resolve_series(folder).findings
    assert (finding.code, finding.message, finding.fatal) == (
        "body_part",
        "body part is CHEST, not HEAD",
        False,
    )
    for parts in (["THORAX", "CHEST"], []):
        assert resolve_series(folder, preference=SeriesPreference(body_parts=parts)).findings == ()
    (finding,) = resolve_series(folder, preference=SeriesPreference(body_parts=["LUNG"])).findings
    assert finding.message == "body part is CHEST, not LUNG"


def test_a_series_that_does_not_say_its_part_is_no_other_part(tmp_path):
    assert resolve_series(save(tmp_path, ct_slices(BodyPartExamined=""))).findings == ()
