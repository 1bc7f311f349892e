# SPDX-License-Identifier: Apache-2.0
"""Figures of networks: what is measured, where it is drawn, and that the committed ones are not stale."""

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from benchmarks import network_figures
from tomobundles.utils import InputError
from tomobundles.visualize.network_arrows import Place, _route, edge_kind
from tomobundles.visualize.network_figure import _operations, draw_network, read_facts
from tomobundles.visualize.network_layout import Box, Layout
from tomobundles.visualize.network_recorder import TracedBlock
from tomobundles.visualize.network_trace import trace_network

BLOCKS = {
    "first": ("first",),
    "deep": ("deep", "norm"),
    "up": ("up",),
    "join": ("join",),
    "vector": ("vector",),
}


class TinyUNet(nn.Module):
    """One level, a skip, a channel of its own that no block made, and a second output."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(2, 4, 3, padding=1)
        self.pool = nn.MaxPool2d(2)
        self.deep = nn.Conv2d(4, 8, 3, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(8)
        self.up = nn.ConvTranspose2d(8, 4, 2, stride=2)
        self.join = nn.Conv2d(9, 3, 1)
        self.vector = nn.Linear(8, 5)

    def forward(self, image):
        first = self.first(image)
        deep = self.norm(self.deep(self.pool(first))).relu_()
        ones = torch.ones(1, 1, *image.shape[2:], device=image.device)
        maps = self.join(torch.cat([self.up(deep), first * 2, ones], dim=1))
        return {"maps": maps, "vector": self.vector(deep.mean(dim=(2, 3)))}


def layout(**changes):
    boxes = {
        "first": Box(("first",), "encoder", 0),
        "deep": Box(("deep", "norm"), "encoder", 0, title="bottom"),
        "up": Box(("up",), "decoder", 1, row=0.5),
        "join": Box(("join",), "decoder", 2, extra="ones"),
        "vector": Box(("vector",), "head", 1, row=1),
    }
    given = {"boxes": boxes, "outputs": {"maps": (3, 0, "maps"), "vector": (2, 1, "vector")}}
    return Layout(**given | changes)


@pytest.fixture
def trace():
    return trace_network(TinyUNet(), (2, 8, 12), BLOCKS)


def test_what_feeds_what(trace):
    """Through pooling, in-place ReLU, a product and a concatenation; the dead end of no block stays out."""
    assert {name: block.sources for name, block in trace.blocks.items()} == {
        "first": ("image",),
        "deep": ("first",),
        "up": ("deep",),
        "join": ("up", "first"),
        "vector": ("deep",),
    }
    assert trace.outputs == {"maps": ((3, 8, 12), ("join",)), "vector": ((5,), ("vector",))}


def test_channels_scales_and_parameters(trace):
    """3x3 x 2 x 4 + 4 = 76; 3x3 x 4 x 8 + 16 = 304; 2x2 x 8 x 4 + 4 = 132; 9 x 3 + 3 = 30; 8 x 5 + 5 = 45."""
    found = {name: (block.channels, block.scale, block.parameters) for name, block in trace.blocks.items()}
    assert found == {
        "first": (4, 1, 76),
        "deep": (8, 2, 304),
        "up": (4, 1, 132),
        "join": (3, 1, 30),
        "vector": (5, None, 45),
    }
    assert trace.parameters == 587
    assert trace.network == "TinyUNet"
    assert [block.extra_channels for block in trace.blocks.values()] == [0, 0, 0, 1, 0]


def test_multiply_adds(trace):
    """Per pixel of 96: 72 first, 27 join; of 24: 288 deep; transposed 32 for each of 96; 40 in the vector."""
    assert trace.macs == 96 * (72 + 27 + 32) + 24 * 288 + 40


def test_convolutions_are_counted(trace):
    assert [block.convolutions for block in trace.blocks.values()] == [
        {"3x3": 1},
        {"3x3": 1},
        {"2x2 up": 1},
        {"1x1": 1},
        {},
    ]
    many = TracedBlock("x", 1, 1, 1, {"1x1x1": 1, "3x3x3": 4, "1x3": 2, "5": 1})
    assert _operations(many) == ["4 conv 3³", "2 conv 1x3", "1 conv 1³", "1 conv 5"]


def test_a_network_with_one_output():
    trace = trace_network(nn.Sequential(nn.Conv2d(1, 2, 1), nn.ReLU()), (1, 4, 4), {"all": ("0", "1")})
    assert trace.outputs == {"output": ((2, 4, 4), ("all",))}


@pytest.mark.parametrize(
    ("blocks", "said"),
    [
        ({"a": ("nowhere",)}, "no module 'nowhere'"),
        ({name: BLOCKS[name] for name in ("first", "deep", "up")}, "hold 512 of 587 parameters"),
        (BLOCKS | {"late": ("late",)}, "did not run: late"),
    ],
)
def test_blocks_that_do_not_fit(blocks, said):
    network = TinyUNet()
    if "late" in blocks:
        network.late = nn.Identity()
    with pytest.raises(InputError, match=said):
        trace_network(network, (2, 8, 12), blocks)


def test_a_block_that_runs_twice():
    shared = nn.Conv2d(1, 1, 1)
    with pytest.raises(InputError, match="block a: 0 ran more than once"):
        trace_network(nn.Sequential(shared, shared), (1, 4, 4), {"a": ("0",)})


def place(x, y, scale=1.0):
    return Place(x, y, 1.0, 1.0, scale)


def test_kinds_of_edges():
    assert edge_kind(place(0, 0), place(2, 0), joined=True) == "skip"
    assert edge_kind(place(0, 0), place(2, 0), joined=False) == "on"
    assert edge_kind(place(0, 0), place(0, 2, 2.0), joined=False) == "down"
    assert edge_kind(place(0, 2, 2.0), place(2, 0), joined=True) == "up"
    assert edge_kind(place(0, 2, 2.0), place(2, 0, None), joined=False) == "on"


def test_routes():
    """Level where boxes have height in common, beside or over what stands between; else end to end."""
    level = _route(place(0, 0), place(3, 0), [])
    assert level == ((0.5, 0.0), (2.5, 0.0), 0.0)
    (_, above), _, bend = _route(place(0, 0), place(3, 0), [Place(1.5, 0.2, 1, 0.8, 1.0)])
    assert (above, bend) == (pytest.approx(-0.25), 0.0)
    start, end, bend = _route(place(0, 0), place(3, 0), [place(1.5, 0)])
    assert (start, end) == ((0.25, -0.5), (2.75, -0.5))
    assert bend == pytest.approx(-2 * (0.1 + 0.05 * 2.5) / 2.5)
    assert _route(place(3, 0), place(0, 0), [place(1.5, 0)])[2] == pytest.approx(-bend)
    assert _route(place(0, 0), place(0, 2), []) == ((0, 0.5), (0, 1.5), 0.0)
    assert _route(place(2, 2), place(0, 0), []) == ((1.7, 1.5), (0.3, 0.5), 0.0)


def test_the_picture(trace, tmp_path):
    path = draw_network(tmp_path / "a.png", trace, layout())
    assert read_facts(path) == trace.facts()
    with Image.open(path) as picture:
        pixels = np.asarray(picture.convert("RGB")).astype(int)
        assert set(picture.text) == {"network"}  # no date, no version
    assert pixels.shape[1] == 1800
    assert (pixels[:5] == 255).all()  # a light ground of its own in both themes
    blue = np.abs(pixels - (0xD6, 0xE6, 0xF5)).max(axis=2) <= 2
    assert 0.02 < blue.mean() < 0.1  # two boxes of the encoder
    assert draw_network(tmp_path / "b.png", trace, layout()).read_bytes() == path.read_bytes()


def test_boxes_may_name_their_scale_and_share_a_frame(trace, tmp_path):
    plain = draw_network(tmp_path / "a.png", trace, layout())
    other = draw_network(tmp_path / "b.png", trace, layout(bands=False, frames={"both": ("first", "deep")}))
    assert other.read_bytes() != plain.read_bytes()


def test_layouts_that_do_not_fit(trace, tmp_path):
    boxes = layout().boxes
    with pytest.raises(InputError, match="other blocks"):
        draw_network(tmp_path / "a.png", trace, layout(boxes={"first": boxes["first"]}))
    with pytest.raises(InputError, match="no output 'mask'"):
        draw_network(tmp_path / "a.png", trace, layout(outputs={"mask": (0, 0, "mask")}))
    with pytest.raises(InputError, match="vector has no map"):
        draw_network(tmp_path / "a.png", trace, layout(boxes=boxes | {"vector": Box(("vector",), "head", 1)}))
    assert not list(tmp_path.iterdir())


def test_a_picture_without_facts(tmp_path):
    Image.new("L", (4, 4)).save(tmp_path / "a.png")
    with pytest.raises(InputError, match="states no facts"):
        read_facts(tmp_path / "a.png")


@pytest.mark.parametrize("bundle", network_figures.LAYOUTS)
def test_committed_figures_are_those_of_the_networks(bundle, monkeypatch):
    """What they state, not their bytes; benchmarks/network_figures.py draws them anew."""
    monkeypatch.chdir(network_figures.ROOT)
    assert read_facts(network_figures.figure_path(bundle)) == network_figures.trace_bundle(bundle).facts()


def test_the_benchmark_draws(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(network_figures, "figure_path", lambda bundle: tmp_path / f"{bundle}.png")
    monkeypatch.setattr("sys.argv", ["network_figures.py", "--bundles", "lung_nodule"])
    network_figures.main()
    assert read_facts(tmp_path / "lung_nodule.png")["network"] == "NoduleDetector"
    assert str(tmp_path) in capsys.readouterr().out
