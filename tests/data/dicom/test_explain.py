# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

from tomobundles.data.dicom import SeriesPreference, find_series
from tomobundles.data.dicom.explain import faulty, no_candidate, remaining, uids_of, why_chosen, why_dropped
from tomobundles.data.dicom.findings import Finding

from .builder import ct_slices, save

WANTED = SeriesPreference()


def series(folder, *findings, **options):
    (found,) = find_series(save(folder, ct_slices(**options))).series
    return replace(found, findings=findings)


def test_what_remains_is_fatal_and_not_accepted(tmp_path):
    gap, size, note = (
        Finding("missing_slice", "gap", True),
        Finding("other_size", "size", True),
        Finding("contrast", "agent"),
    )
    found = series(tmp_path, gap, note, size)
    assert remaining(found, ()) == [size, gap]  # what nobody may accept comes first
    assert remaining(found, ("missing_slice",)) == [size]
    assert str(faulty(found, "study", ())).splitlines() == [
        "study",
        "series 1.2.3.4: size (also missing_slice)",
        "give the folder of one acquisition, so that its slices are not mixed with others",
    ]


def test_sentences(tmp_path):
    soft = series(tmp_path / "a")
    thin = series(tmp_path / "b", series="1.2.3.5", thickness_mm=3.0)
    bone = series(tmp_path / "c", series="1.2.826.0.1.3680043.77", kernel="H60s")
    everything = [soft, thin, bone]
    assert why_chosen([soft], everything, WANTED, named=False) == (
        "the only sound candidate of 3 series: axial CT, 8 slices of 5 mm, soft kernel (H31s)"
    )
    assert why_chosen([soft, thin], everything, WANTED, named=False).startswith(
        "best of 2 candidates (nearest to 5 mm): "
    )
    assert why_chosen([thin], everything, WANTED, named=True).startswith("named by the user: ")
    lines = why_dropped([thin, bone], WANTED, (), best=soft, whole=[soft, thin])
    assert [line.rsplit(": ", 1)[1] for line in lines] == [
        "nearest to 5 mm preferred",
        "sharp kernel (H60s), not soft",
    ]
    assert lines[1].startswith("series ...680043.77 (")
    error = no_candidate([bone], "study", WANTED, (), named=False)
    assert str(error).splitlines()[1] == "no series fits: series ...680043.77: sharp kernel (H60s), not soft"
    assert uids_of(everything) == "1.2.3.4, 1.2.3.5 and 1 more"
