# SPDX-License-Identifier: Apache-2.0
import numpy as np
from scipy.ndimage import binary_erosion, binary_fill_holes, gaussian_filter

from tomobundles.data.phantoms.head_census import HeadCensus, head_census, report
from tomobundles.data.phantoms.ich_sample import make_patient, plan


def test_report_lists_all_classes_and_any():
    figures = (0.5, 0.25, 0.25, 0.5, 0.125, 1.0)
    text = report(HeadCensus(8, figures, figures, (0.1,) * 6)).splitlines()
    assert text[0] == "8 patients bleed"
    assert [line.split()[0] for line in text[2:]] == ["IPH", "IVH", "SAH", "SDH", "EDH", "any"]
    assert text[-1].split() == ["any", "1.00", "1.000", "0.100"]


def test_shares_are_counted_among_those_who_bleed():
    # 3 patients: one normal, two bleed; each class in at least one of the two
    result = head_census(count=3, size=64, slices=(14, 15))
    assert result.bleeding == 2
    assert all(share in (0.5, 1.0) for share in result.patients)
    assert result.patients[5] == 1.0
    assert all(0 < a < s for a, s in zip(result.all_slices, result.slices, strict=True))


def test_no_threshold_on_brightness_finds_the_bleeds():
    """How much of the cavity is brighter than a threshold says little; of 12 patients, AUC of slices."""
    bright, truth = [], []
    for patient in plan(5, (12,), (22, 26))[0]:
        scan = make_patient(patient, size=64)
        for k in range(patient.slices):
            hu = gaussian_filter(scan.hu[..., k].astype(np.float32), 0.5)
            cavity = binary_erosion(binary_fill_holes(hu > 150) & (hu < 150))
            bright.append([(cavity & (hu > level) & (hu < 95)).sum() for level in (42, 46, 50, 55, 60)])
            truth.append(scan.presence[:, k])
    bright, truth = np.array(bright, float), np.array(truth, bool)
    best = [max(np.mean(pairs(column[row], column[~row])) for column in bright.T) for row in truth.T]
    assert best[5] < 0.92  # any
    assert max(best[2:4]) < 0.88  # SAH and SDH
    assert max(best) < 0.96


def pairs(sick, healthy):
    """1 where the slice with the bleed has more bright pixels, 1/2 in ties."""
    return (sick[:, None] > healthy) + 0.5 * (sick[:, None] == healthy)
