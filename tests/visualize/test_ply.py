# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace

import numpy as np
import pytest

from tomobundles.visualize.ply import write_ply
from tomobundles.visualize.surfaces import Surface, extract_surface

from .volumes import Boxes, ball


def read_ply(path):
    """Header lines, vertices and faces, read by the header alone."""
    head, _, content = path.read_bytes().partition(b"end_header\n")
    lines = head.decode("ascii").splitlines()
    sizes = {line.split()[1]: int(line.split()[2]) for line in lines if line.startswith("element")}
    width = sum(line.startswith("property float") for line in lines)
    vertices = np.frombuffer(content, "<f4", sizes["vertex"] * width).reshape(-1, width)
    faces = np.frombuffer(content[vertices.nbytes :], [("count", "u1"), ("corners", "<i4", 3)])
    assert len(faces) == sizes["face"]
    assert (faces["count"] == 3).all()
    return lines, vertices, faces["corners"]


def test_round_trip(tmp_path):
    surface = extract_surface(Boxes(ball(5), spacing_um=(50, 50, 50)))
    lines, vertices, faces = read_ply(write_ply(tmp_path / "new" / "vessels.ply", surface))
    assert lines[:2] == ["ply", "format binary_little_endian 1.0"]
    assert "comment coordinates in um" in lines
    assert lines[-1] == "property list uchar int vertex_indices"
    np.testing.assert_array_equal(vertices, surface.vertices)
    np.testing.assert_array_equal(faces, surface.faces)


def test_values(tmp_path):
    surface = extract_surface(Boxes(ball(2)))
    values = np.arange(len(surface.vertices), dtype=np.float32)
    path = write_ply(
        tmp_path / "a.ply", replace(surface, values=values, value_name="radius\nend_header \u00b5m")
    )
    lines, vertices, _ = read_ply(path)
    assert "comment value: radius end_header ?m" in lines
    assert "property float value" in lines
    np.testing.assert_array_equal(vertices[:, 3], values)
    lines, _, _ = read_ply(write_ply(path, replace(surface, values=values)))
    assert not any("comment value" in line for line in lines)


def test_empty(tmp_path):
    nothing = Surface(np.zeros((0, 3), np.float32), np.zeros((0, 3), np.int32))
    _, vertices, faces = read_ply(write_ply(tmp_path / "a.ply", nothing))
    assert vertices.size == faces.size == 0


def test_nothing_is_left_of_a_failed_write(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tomobundles.visualize.ply._header", full)
    with pytest.raises(OSError, match="No space"):
        write_ply(tmp_path / "a.ply", extract_surface(Boxes(ball(2))))
    assert not list(tmp_path.iterdir())
