# SPDX-License-Identifier: Apache-2.0
import numpy as np
import pytest
from PIL import Image

from tomobundles.data.study_pictures import (
    called_text,
    compose_study_sheet,
    key_slice_cards,
    percent,
    slice_place,
    study_colors,
    study_heat,
    write_contact_sheet,
    write_score_curves,
    write_score_map,
)

from .study_results import NAMES, make_study, probabilities


def negative():
    return make_study(probabilities={name: values * 0.1 for name, values in probabilities().items()})


def test_cards():
    cards = key_slice_cards(make_study())
    assert [card.index for card in cards] == [1, 2, 3]
    assert [card.title for card in cards] == [
        "Slice 2 of 4, z -15.0 mm",
        "Slice 3 of 4, z -10.0 mm",
        "Slice 4 of 4, z -5.0 mm",
    ]
    assert [card.lines for card in cards] == [
        [(3, "SDH 50% (raw 50%, context 50%)")],
        [(3, "SDH 75% (raw 75%, context 75%)")],
        [(4, "EDH 12% (raw 62%, context 12%): called alone, not with context")],
    ]
    assert [list(card.heats) for card in cards] == [[3], [3], []]


def test_a_class_of_the_patient_alone_shows_its_highest_slice():
    values = probabilities()
    values["patient"][0] = 0.9
    values["calibrated"][0, 0] = 0.375
    card = key_slice_cards(make_study(probabilities=values))[0]
    assert (card.index, card.lines) == (0, [(0, "IPH 38% (raw 12%, context 12%): below threshold")])
    assert not card.heats


def test_negative_study_shows_the_highest_slice_without_heat():
    (card,) = key_slice_cards(negative())
    assert (card.index, card.heats) == (2, {})
    assert card.lines == [(5, "any 9% (raw 9%, context 9%): below threshold")]
    assert study_heat(negative()) == {}
    assert study_heat(make_study(cam=None)) == {}


def test_words():
    assert called_text(make_study()) == "SDH at or above threshold"
    assert called_text(negative()) == "no class at or above threshold"
    values = probabilities()
    values["patient"][3] = 0
    assert called_text(make_study(probabilities=values)) == "any at or above threshold"
    assert slice_place(make_study(positions_mm=None), 0) == "1 of 4"


@pytest.mark.parametrize(
    ("value", "digits", "text"),
    [
        *((0, 0, "0%"), (0.001, 0, "<1%"), (0.01, 0, "1%"), (0.995, 0, ">99%"), (1, 0, "100%")),
        *((0.35, 1, "35.0%"), (0.0005, 1, "<0.1%"), (0.9995, 1, ">99.9%")),
    ],
)
def test_percent(value, digits, text):
    assert percent(value, digits=digits) == text


def test_sheet_marks_heat_in_the_class_colour(tmp_path):
    with Image.open(write_contact_sheet(tmp_path / "a.png", make_study())) as picture:
        drawn = np.asarray(picture)
    assert (drawn == study_colors(make_study())[3]).all(axis=2).sum() > 300  # outlines, and the box below
    plain = np.asarray(compose_study_sheet(make_study(cam=None), title="x"))
    assert plain.shape[0] < drawn.shape[0]  # single panels, more of them in a row


@pytest.mark.parametrize("write", [write_score_curves, write_score_map])
def test_score_pictures(tmp_path, write):
    label = np.full((6, 4), np.nan, np.float32)
    label[3] = [0, 1, 1, 0]
    with Image.open(write(tmp_path / "a.png", make_study(label=label))) as marked:
        assert marked.width == 1050
    with Image.open(write(tmp_path / "b.png", make_study())) as bare:
        assert bare.size == marked.size


def test_colours():
    assert len(set(study_colors(make_study()))) == len(NAMES)
