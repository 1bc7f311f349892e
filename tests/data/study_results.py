# SPDX-License-Identifier: Apache-2.0
"""A small study with one of everything, for the tests of the writers."""

import numpy as np

from tomobundles.data.study_result import StudyResult

NAMES = ("IPH", "IVH", "SAH", "SDH", "EDH", "any")
DEPTH = 4
# Rows, columns and slices all differ, so that no wrong order of axes fits.
SHAPE = (12, 10, DEPTH)
# Columns step along x and y, slices along y and z: a tilted gantry's shear. Rows go to the back.
AFFINE = np.array([[0, -0.5, 0, 3.0], [-0.5, 0, 1.7, 4.0], [0, 0, 4.7, -20.0], [0, 0, 0, 1]])


def probabilities():
    """SDH is called in slices 1 and 2, EDH by slice 3 alone only, the rest nowhere (thresholds 0.5)."""
    calibrated = np.full((6, DEPTH), 0.125, np.float32)
    calibrated[3] = [0.25, 0.5, 0.75, 0.25]
    calibrated[5] = [0.25, 0.5, 0.875, 0.25]
    raw = calibrated.copy()
    raw[4, 3] = 0.625
    patient = np.array([0.1, 0.1, 0.1, 0.8, 0.2, 0.9], np.float32)
    return {"raw": raw, "context": calibrated.copy(), "calibrated": calibrated, "patient": patient}


def make_study(**changes):
    cam = np.zeros((5, 3, 2, DEPTH), np.float32)
    cam[3, 1, 1] = [8, 1, 2, 1]  # the strongest activation lies in a slice that is not called
    content = {
        "name": "case1",
        "patient": "P1",
        "class_names": NAMES,
        "probabilities": probabilities(),
        "thresholds": np.full(6, 0.5),
        "image": np.random.default_rng(0).normal(35, 10, SHAPE).astype(np.float32),
        "affine": AFFINE,
        "slice_names": [f"ab_{index}" for index in range(DEPTH)],
        "slice_files": [f"ab_{index}.jpg" for index in range(DEPTH)],
        "positions_mm": np.array([-20.0, -15, -10, -5]),
        "spacing": (0.5, 0.5, 5.0),
        "cam": cam,
    }
    return StudyResult(**(content | changes))
