# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest

from tomobundles.data.phantoms import oct_census
from tomobundles.data.phantoms.oct_census import Census, census, report


def test_counts_by_hand(monkeypatch):
    # two volumes of 2 x 2 x 2 = 8 pixels. First: greys 0 and 10, half each, labels 1 1 2 in slice 0.
    # Second: grey 4 throughout, label 1 in both slices. REA: 2 volumes, slices (1/2 + 2/2) / 2 = 75 %, pixels
    # (2/8 + 2/8) / 2 = 25 %; SRF: 1 volume, 25 %, 6.25 %. Mean (5 + 4) / 2 = 4.5,
    # mean square (50 + 16) / 2 = 33, sd sqrt(33 - 20.25) = 3.5707
    first, second = np.zeros((2, 2, 2), np.uint8), np.zeros((2, 2, 2), np.uint8)
    first[0, :, 0], first[1, 0, 0] = 1, 2
    second[0, 0, :] = 1
    image = np.array([0, 10] * 4, np.uint8).reshape(2, 2, 2)
    volumes = iter([(image, first), (np.full_like(image, 4), second)])
    monkeypatch.setattr(oct_census, "eye_volume", lambda **kwargs: next(volumes))
    found = census(count=2)
    assert found.volumes == (2, 1, 0)
    assert found.slices == pytest.approx((75, 25, 0))
    assert found.pixels == pytest.approx((25, 6.25, 0))
    assert found.mean == pytest.approx(4.5)
    assert found.std == pytest.approx(3.5707, abs=1e-4)


def test_class_table_is_within_a_factor_of_two_of_the_contest_s():
    # the contest's training set: 52 / 33 / 4.5 % of the slices, 6.2 / 0.84 / 0.027 % of the pixels
    found = census(count=35)
    for value, target in zip(found.slices, (52, 33, 4.5), strict=True):
        assert 0.7 * target < value < 1.4 * target
    for value, target in zip(found.pixels, (6.2, 0.84, 0.027), strict=True):
        assert target / 2 < value < target * 2


def test_report_is_a_table():
    text = report(Census((63, 55, 29), (54.3, 32.5, 4.5), (5.93, 0.836, 0.024), 34.4, 23.1)).splitlines()
    assert text[0].split() == ["class", "volumes", "slices", "%", "pixels", "%"]
    assert text[1].split() == ["REA", "63", "54.3", "5.930"]
    assert text[3].split() == ["PED", "29", "4.5", "0.024"]
    assert text[4] == "grey levels: mean 34.4, sd 23.1"
