# SPDX-License-Identifier: Apache-2.0
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tomobundles.data.volumes import ArrayVolume
from tomobundles.inferers.slabs import BYTES_PER_VOXEL, cut, read_ahead, slab_thickness, write_behind


@pytest.mark.parametrize(
    ("axis", "half", "batch_size", "slices", "expected"),
    [
        ("z", 0, 1, 5, 5),
        ("z", 1, 1, 5, 3),
        ("z", 1, 2, 5, 2),  # a multiple of the batch
        ("z", 1, 4, 5, 3),  # less than one batch
        ("z", 2, 1, 3, 1),  # one at least
        ("z", 0, 1, 500, 40),  # no thicker than the volume
        ("y", 1, 1, 6, 4),
        ("x", 0, 3, 7, 6),
    ],
)
def test_thickness(axis, half, batch_size, slices, expected):
    shape = (40, 30, 20)
    per_slice = {"z": 600, "y": 800, "x": 1200}[axis] * BYTES_PER_VOXEL
    found = slab_thickness(
        shape, axis=axis, half=half, batch_size=batch_size, memory_mb=(slices * per_slice + 1) / 1e6
    )
    assert found == expected


def test_cutting():
    assert list(cut([range(2, 7), range(9, 10)], thickness=2)) == [
        range(2, 4),
        range(4, 6),
        range(6, 7),
        range(9, 10),
    ]


@pytest.mark.parametrize("axis", ["z", "y", "x"])
def test_slabs_bring_their_neighbours(axis):
    dim = "zyx".index(axis)
    array = np.moveaxis(np.broadcast_to(np.arange(6.0)[:, None, None], (6, 6, 6)), 0, dim)
    with ThreadPoolExecutor(1) as pool:
        found = list(
            read_ahead(
                ArrayVolume(array), [range(0, 2), range(2, 4), range(5, 6)], axis=axis, half=1, pool=pool
            )
        )
    lines = [np.moveaxis(slab.grays, dim, 0)[:, 0, 0].tolist() for slab in found]
    assert lines == [[0, 1, 2], [1, 2, 3, 4], [4, 5]]
    assert [slab.inside for slab in found] == [range(0, 2), range(1, 3), range(1, 2)]
    assert [slab.centres for slab in found] == [range(0, 2), range(2, 4), range(5, 6)]


def test_one_slab_is_read_ahead_and_no_more():
    read = []

    class Watched(ArrayVolume):
        def _read(self, box):
            read.append(box[0].start)
            return super()._read(box)

    with ThreadPoolExecutor(1) as pool:
        slabs = read_ahead(
            Watched(np.zeros((9, 1, 1))), cut([range(9)], thickness=3), axis="z", half=0, pool=pool
        )
        next(slabs)
        pool.submit(int).result()  # what was asked for before is read
        assert read == [0, 3]
        assert len(list(slabs)) == 2
        assert list(read_ahead(Watched(np.zeros((9, 1, 1))), [], axis="z", half=0, pool=pool)) == []


def test_a_fault_while_reading_comes_out():
    class Faulty(ArrayVolume):
        def _read(self, box):
            raise OSError("torn")

    with ThreadPoolExecutor(1) as pool, pytest.raises(OSError, match="torn"):
        list(read_ahead(Faulty(np.zeros((2, 1, 1))), [range(2)], axis="z", half=0, pool=pool))


def test_answers_are_written_in_order_while_the_next_is_computed():
    written, done_before = [], []

    def answers():
        for number in range(4):
            done_before.append(len(written))
            yield number, -number

    with ThreadPoolExecutor(2) as pool:
        write_behind(answers(), lambda *answer: written.append(answer), pool=pool)
        write_behind([], None, pool=pool)
    assert written == [(0, 0), (1, -1), (2, -2), (3, -3)]
    assert all(done >= number - 1 for number, done in enumerate(done_before))


@pytest.mark.parametrize("count", [1, 3])
def test_a_fault_while_writing_comes_out(count):
    def write(number):
        raise OSError(f"full at {number}")

    with ThreadPoolExecutor(1) as pool, pytest.raises(OSError, match="full at 0"):
        write_behind([(number,) for number in range(count)], write, pool=pool)
