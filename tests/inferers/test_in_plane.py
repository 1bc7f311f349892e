# SPDX-License-Identifier: Apache-2.0
import pytest
import torch
from monai.inferers import sliding_window_inference

from tomobundles.inferers.empty_tiles import EmptyTiles
from tomobundles.inferers.in_plane import Chain, InPlaneWindows, PadToMultiple


def _network(num_slices=3):
    torch.manual_seed(0)
    body = torch.nn.Conv2d(num_slices, 1, 5, padding=2)
    return lambda stacks: body(stacks).sigmoid()


@pytest.mark.parametrize("size", [(33, 29), (16, 40), (20, 20)])
def test_windows_equal_monais_sliding_window_on_maps(size):
    network, stacks = _network(), torch.randn(2, 3, *size)
    with torch.no_grad():
        found = InPlaneWindows(roi_size=(16, 16), overlap=0.5)(stacks, network)
        expected = sliding_window_inference(stacks, (16, 16), 4, network, overlap=0.5, mode="gaussian")
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(
    ("size", "max_plane", "window"),
    [
        ((30, 40), 1200, (30, 40)),  # fits
        ((30, 41), 1200, (30, 32)),  # 1200 // 30 = 40, down to a multiple of 32
        ((41, 30), 1200, (32, 30)),
        ((20, 500), 1000, (20, 32)),  # 1000 // 20 = 50
        ((500, 500), 10000, (96, 96)),  # the root of 10,000 is 100
        ((9, 9), 16, (4, 4)),  # smaller than 32: as it is
        ((2279, 912), 2**21, (2279, 912)),
        ((2217, 1511), 2**21, (1440, 1440)),  # the root of 2**21 is 1448
    ],
)
def test_whole_slices_up_to_a_number_of_pixels(size, max_plane, window):
    windows = InPlaneWindows(max_plane=max_plane)
    assert windows.window(size) == window
    seen = set()
    if max_plane < 2**20:
        stacks = torch.rand(1, 1, *size)
        whole = windows(stacks, lambda part: seen.add(tuple(part.shape[-2:])) or part)
        torch.testing.assert_close(whole, stacks)
        assert seen == {window}


def test_padding_repeats_the_last_pixels_and_moves_none():
    seen = []

    def network(stacks):
        seen.append(stacks)
        return {"map": stacks * 2, "vector": stacks.amax(dim=(2, 3)), "coarse": stacks[..., ::4, ::4]}

    stacks = torch.arange(2 * 5 * 3.0).reshape(1, 2, 5, 3)
    outputs = PadToMultiple(4)(stacks, network)
    assert seen[0].shape == (1, 2, 8, 4)
    assert torch.equal(seen[0][..., :5, :3], stacks)
    assert torch.equal(seen[0][0, 0, 5:, 0], stacks[0, 0, 4, 0].expand(3))
    assert torch.equal(outputs["map"], stacks * 2)
    assert outputs["vector"].shape == (1, 2)
    assert outputs["coarse"].shape == (1, 2, 2, 1)
    assert torch.equal(PadToMultiple(4)(stacks, lambda part: part + 1), stacks + 1)


def test_what_fits_is_not_padded():
    stacks = torch.rand(1, 1, 8, 4)
    assert PadToMultiple(4)(stacks, lambda part: part) is stacks
    with pytest.raises(ValueError, match="multiple"):
        PadToMultiple(0)


def test_a_chain_calls_the_outermost_first():
    def step(letter):
        return lambda stacks, network: letter + network(stacks + letter.lower())

    assert Chain(step("A"), None, step("B"))("", lambda text: f"<{text}>") == "AB<ab>"
    assert Chain()(3, lambda number: number + 1) == 4


def _dark_with_a_bright_corner():
    """Two slices of 32 x 32: the first has a bright 8 x 8 block at its end, the second is dark."""
    stacks = torch.zeros(2, 1, 32, 32)
    stacks[0, 0, 24:, 24:] = 1
    return stacks


def test_empty_windows_do_not_go_through_the_network():
    seen = []

    def network(part):
        seen.append(len(part))
        return part + 0.25

    skip = EmptyTiles(threshold=0.5, block=8, reach=0)
    found = InPlaneWindows(roi_size=(16, 16), overlap=0, skip=skip)(_dark_with_a_bright_corner(), network)
    assert seen == [1]
    expected = torch.zeros(2, 1, 32, 32)
    expected[0, 0, 16:, 16:] = 0.25
    expected[0, 0, 24:, 24:] = 1.25
    torch.testing.assert_close(found, expected)


def test_empty_windows_do_not_thin_out_their_neighbours():
    skip = EmptyTiles(threshold=0.5, block=8, reach=0)
    found = InPlaneWindows(roi_size=(16, 16), overlap=0.5, skip=skip)(
        _dark_with_a_bright_corner(), lambda part: torch.full_like(part, 0.5)
    )
    # windows start at 0, 8 and 16: only those from 16 hold the corner
    assert torch.equal(found[0, 0, 16:, 16:], torch.full((16, 16), 0.5))
    assert found.sum() == 0.5 * 16 * 16


@pytest.mark.parametrize("roi_size", [None, (16, 16)])
def test_nothing_but_empty_windows(roi_size):
    skip = EmptyTiles(threshold=2, block=8)
    found = InPlaneWindows(roi_size=roi_size, skip=skip)(torch.zeros(2, 3, 32, 24), None)
    assert torch.equal(found, torch.zeros(2, 1, 32, 24))


@pytest.mark.parametrize("roi_size", [None, (16, 16)])
def test_a_skip_that_finds_nothing_changes_nothing(roi_size):
    network, stacks = _network(), torch.randn(2, 3, 40, 29)
    with torch.no_grad():
        expected = InPlaneWindows(roi_size=roi_size)(stacks, network)
        for skip in (EmptyTiles(threshold=None), EmptyTiles(threshold=-9)):
            found = InPlaneWindows(roi_size=roi_size, skip=skip)(stacks, network)
            torch.testing.assert_close(found, expected, atol=1e-7, rtol=0)


def test_vectors_of_skipped_slices_are_absent():
    def network(part):
        return {"map": part, "presence": part.amax(dim=(2, 3))}

    skip = EmptyTiles(threshold=0.5, block=8, reach=0)
    found = InPlaneWindows(roi_size=(16, 16), overlap=0, skip=skip)(_dark_with_a_bright_corner(), network)
    assert found["presence"].tolist() == [[1], [0]]
