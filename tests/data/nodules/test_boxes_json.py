# SPDX-License-Identifier: Apache-2.0
import json

import numpy as np

from tomobundles.data.nodules.boxes_json import boxes_record, write_boxes_json

from .cases import make_case, none_found


def test_boxes_are_cubes_in_the_world(tmp_path):
    found = json.loads(write_boxes_json(tmp_path / "a.json", make_case()).read_text())
    assert found == {
        "validation": [
            {
                "image": "1.3.6.1.mhd",
                "box": [[3, 2, -95, 8, 8, 8], [-12, 8, -110, 5, 5, 5], [12, -4, -119, 12, 12, 12]],
                "label": [0, 0, 0],
                "label_scores": [0.9996861, 0.75, 0.25],
            }
        ]
    }


def test_no_candidate_gives_empty_lists():
    found = boxes_record(none_found())
    assert np.shape(found["box"]) == (0, 6)
    assert (found["label"], found["label_scores"]) == ([], [])


def test_a_dicom_series_goes_by_its_uid():
    assert boxes_record(make_case(source="", seriesuid="1.2.3"))["image"] == "1.2.3"
