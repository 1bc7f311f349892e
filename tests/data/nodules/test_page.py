# SPDX-License-Identifier: Apache-2.0
import re
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from tomobundles.data.nodules.page import (
    LIMITS,
    RESEARCH_NOTE,
    SHOWN,
    compose_case_sheet,
    nodule_marks,
    truth_marks,
    write_case_page,
    write_contact_sheet,
)

from .cases import WORLD, make_case, none_found


class Page(HTMLParser):
    """Texts of the cells, list items and headings, and the pictures' descriptions."""

    def __init__(self, path):
        super().__init__()
        self.texts, self.pictures, self.sources, self.open = {}, [], [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        if tag == "img":
            self.pictures.append(dict(attrs)["alt"])
            self.sources.append(dict(attrs)["src"])
        else:
            self.open.append(tag)

    def handle_endtag(self, tag):
        while self.open and self.open.pop() != tag:
            pass

    def handle_data(self, data):
        if self.open and data.strip():
            self.texts.setdefault(self.open[-1], []).append(data)


def many():
    """15 candidates in one place."""
    values = np.linspace(0.9, 0.2, 15).astype(np.float32)
    places = {"nodules": np.repeat(WORLD[:1], 15, 0), "voxel": np.repeat([[16.0, 24, 9]], 15, 0)}
    return make_case(**places, probability=values, detector=values)


def test_marks_lie_on_the_lung_grid():
    # the grid begins at LPS (-25, -20, -130), with 1 mm voxels: rows are y, columns x
    marks = nodule_marks(make_case(classifier=np.float32([0.5, 0.25, 0.125]), positions_mm=np.arange(24.0)))
    assert [np.round(mark.centre, 6).tolist() for mark in marks] == [[22, 28, 35], [28, 13, 20], [16, 37, 11]]
    assert [(mark.label, mark.diameter_mm) for mark in marks] == [("1", 8), ("2", 5), ("3", 12)]
    assert marks[1].lines == [
        "2: probability 0.750 (detector 0.800, classifier 0.250)",
        "5.0 mm, slice 15 of 24, z 14.0 mm",
    ]


def test_annotated_nodules_are_marked_where_known():
    assert truth_marks(make_case()) == []
    [mark] = truth_marks(make_case(truth=WORLD[1:2]))
    assert np.round(mark.centre, 6).tolist() == [28, 13, 20]
    assert nodule_marks(make_case(truth=WORLD[1:2]))[1].lines[1].endswith("annotated nodule 1")


def test_the_first_dozen_is_shown():
    case = many()
    assert len(nodule_marks(case)) == SHOWN == 12
    assert compose_case_sheet(case).height == compose_case_sheet(case.reported(0.35)).height


def test_the_page_of_a_scan(tmp_path):
    case = make_case(truth=WORLD[:1], findings=["5 mm slices"], study_uid="1.2", series_uid="1.2.3")
    found = Page(write_case_page(tmp_path / "a.html", case))
    assert found.texts["h1"] == ["Lung nodule candidates, chest CT: scan1"]
    assert found.texts["h2"] == [
        "Warnings", "Candidates", "Where they lie", "Three planes", "Lung mask", "Limits",
    ]  # fmt: skip
    assert found.texts["li"] == ["the left lung is small", "5 mm slices", *LIMITS]
    cells = found.texts["td"]
    first = cells.index("0.999686") - 1
    assert cells[first : first + 11] == [
        "1", "0.999686", "8.0", "10", "24", "16", "3.0", "2.0", "-95.0", "0.9000", "1",
    ]  # fmt: skip
    assert cells[first + 11 + 10] == "-"
    for value in ("P1", "1.2", "1.2.3", "32 rows, 44 columns, 24 slices", "-400 HU", "22 ml", "20 ml"):
        assert value in cells
    assert RESEARCH_NOTE in found.texts["p"]
    assert len(found.pictures) == 2 + 3
    assert found.pictures[2] == "1: probability 1.000; 8.0 mm, slice 10 of 24, annotated nodule 1"


def test_it_loads_nothing_and_suits_dark_screens(tmp_path):
    path = write_case_page(tmp_path / "a.html", make_case(classifier=np.float32([0.5, 0.25, 0.125])))
    text = path.read_text()
    assert all(source.startswith("data:image/png;base64,") for source in Page(path).sources)
    assert "<script" not in text
    assert not re.search(r"https?://|url\(", text)
    assert "prefers-color-scheme: dark" in text
    assert "Classifier" in text


def test_the_page_of_a_scan_without_candidates(tmp_path):
    case = none_found(lung_quality={}, lungs=None, lungs_affine=None, seconds={})
    found = Page(write_case_page(tmp_path / "a.html", case))
    assert "No candidate." in found.texts["p"]
    assert found.texts["h2"] == ["Where they lie", "Lung mask", "Limits"]
    assert len(found.pictures) == 1


@pytest.mark.parametrize(
    ("case", "words"),
    [
        (make_case().reported(0.9), "1 candidate, probability at most 1.000."),
        (make_case(), "3 candidates, probability at most 1.000."),
        (many(), "15 candidates, probability at most 0.900, the first 12 shown."),
    ],
)
def test_what_was_found_in_words(tmp_path, case, words):
    assert words in Page(write_case_page(tmp_path / "a.html", case)).texts["p"]


def test_words_of_a_scan_are_escaped(tmp_path):
    text = write_case_page(tmp_path / "a.html", make_case(patient="<b>P", model="<i>m")).read_text()
    assert "&lt;b&gt;P" in text
    assert "<i>m" not in text


def test_the_contact_sheet(tmp_path):
    with Image.open(write_contact_sheet(tmp_path / "a.png", make_case())) as sheet:
        # three cards of three squares of 56 mm at 3 pixels a mm
        assert sheet.width > 9 * 168
        assert sheet.mode == "RGB"
        orange = (np.asarray(sheet) == (230, 159, 0)).all(axis=-1)
    assert orange.sum() > 300
    with Image.open(write_contact_sheet(tmp_path / "a.png", none_found())) as sheet:
        assert sheet.height < 100
