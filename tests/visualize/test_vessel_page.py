# SPDX-License-Identifier: Apache-2.0
import json
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from tomobundles.visualize.surfaces import extract_surface
from tomobundles.visualize.vessel_page import format_value, surface_for_view, write_vessel_page
from tomobundles.visualize.vessel_view import plotly_script, view_script

from .test_html_page import EVIL, Parser
from .volumes import Boxes, ball, tube

EMPTY = Boxes(np.zeros((8, 8, 8), np.uint8))


def chart(text):
    """The data and layout that the page gives to plotly."""
    script = re.search(r'Plotly\.newPlot\("view", \{\.\.\.(.*), config: (\{.*?\})\}\);', text)
    return json.loads(script[1]), json.loads(script[2])


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("page")
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(folder / "a.png")
    mask, reference = (Boxes(tube(radius), spacing_um=(50, 50, 50)) for radius in (3, 4))
    return write_vessel_page(
        folder / "new" / "page.html",
        title=EVIL,
        mask_volume=mask,
        reference=reference,
        summary={"Surface Dice": np.float32(0.51234), EVIL: 123456, "clDice": float("nan")},
        tables={"By radius": [{"band": EVIL, "dice": 0.5}, {"band": "thick", "recall": 1.0}], "None": []},
        pictures={"Along z": folder / "a.png"},
        notes=[EVIL],
    )


def test_page_is_whole_and_works_offline(written):
    text = written.read_text(encoding="utf-8")
    head, _, _ = text.partition("<script>")
    tags = Parser(head).tags
    assert not {"link", "iframe", "script", "object", "base"} & {tag for tag, _ in tags}
    loaded = [value for _, one in tags for name, value in one.items() if name in ("src", "href", "data")]
    assert loaded
    assert all(one.startswith("data:image/png;base64,") for one in loaded)
    scripts = re.findall(r"<script[^>]*>", text[len(head) :])
    assert scripts.count("<script>") == 2
    assert not [one for one in scripts if "src" in one]
    assert "default-src 'none'" in head.replace("&#x27;", "'")
    assert 4e6 < written.stat().st_size < 12e6


def test_page_shows_what_it_was_given(written):
    text = written.read_text(encoding="utf-8").partition("<script>")[0]
    texts = Parser(text).texts
    for shown in (EVIL, "Surface Dice", "0.5123", "123,456", "By radius", "thick", "No rows.", "Along z"):
        assert shown in texts
    assert [one for one in texts if "turn" in one]
    assert [one for one in ("band", "dice", "recall") if one not in texts] == []


def test_view(written):
    content, config = chart(written.read_text(encoding="utf-8"))
    vessels, reference = content["data"]
    assert (vessels["type"], vessels["name"], reference["name"]) == ("mesh3d", "Vessels", "Reference")
    assert vessels["colorbar"]["title"]["text"] == "radius (um)"
    assert "intensity" not in reference
    assert reference["opacity"] < 1
    assert content["layout"]["scene"]["aspectmode"] == "data"
    assert config["showSendToCloud"] is False


def test_empty_mask_says_so(tmp_path):
    path = write_vessel_page(tmp_path / "a.html", title="t", mask_volume=EMPTY)
    text = path.read_text(encoding="utf-8")
    assert "No vessel was found" in text
    assert "<script" not in text
    assert path.stat().st_size < 10_000


def test_empty_mask_beside_a_reference(tmp_path):
    path = write_vessel_page(tmp_path / "a.html", title="t", mask_volume=EMPTY, reference=Boxes(ball(3)))
    text = path.read_text(encoding="utf-8")
    assert "No vessel was found" in text
    assert [one["name"] for one in chart(text)[0]["data"]] == ["Reference"]


def test_own_surface_and_limit(tmp_path):
    surface = extract_surface(Boxes(ball(15)))
    values = np.full(len(surface.vertices), 7, np.float32)
    surface = replace(surface, step=3, values=values, value_name="</script><b>")
    path = write_vessel_page(tmp_path / "a.html", title="t", surface=surface, max_faces=200)
    text = path.read_text(encoding="utf-8")
    assert text.count("</script>") == 2
    mesh = chart(text)[0]["data"][0]
    assert mesh["colorbar"]["title"]["text"] == "</script><b>"
    assert mesh["cmax"] == 7
    assert "3 voxels were pooled" in text


def test_surface_for_the_screen():
    surface = surface_for_view(Boxes(ball(15)), max_faces=500)
    assert 60 < len(surface.faces) <= 500
    assert surface.values is not None
    assert surface_for_view(Boxes(ball(5)), radius=False).values is None


def test_missing_picture_leaves_no_page(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_vessel_page(tmp_path / "a.html", title="t", pictures={"a": tmp_path / "absent.png"})
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""),
        (float("nan"), ""),
        (0.123456, "0.1235"),
        (np.float32(2), "2"),
        (np.int64(1234567), "1,234,567"),
        (123456.7, "123,457"),
        (float("inf"), "inf"),
        (True, "True"),
        ("0-2 voxels", "0-2 voxels"),
    ],
)
def test_values(value, text):
    assert format_value(value) == text


def test_plotly_does_not_end_its_script():
    assert "</script" not in plotly_script()


def test_surface_without_values_has_one_colour():
    surface = extract_surface(Boxes(ball(3)))
    script = view_script({"A": surface, "B": surface}, target="view")
    colors = [one["color"] for one in chart(script)[0]["data"]]
    assert len(set(colors)) == 2
    assert "x (voxels)" in script
