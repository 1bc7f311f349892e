# SPDX-License-Identifier: Apache-2.0
import pytest

from tomobundles.data.volumes.free_space import check_free_space
from tomobundles.utils import InputError


def test_room_and_none(tmp_path):
    check_free_space(tmp_path, 1, what="a copy")
    with pytest.raises(InputError, match=r"(?s)disk too full: 1000000\.00 GB are needed, .*for a copy"):
        check_free_space(tmp_path, 10**15, what="a copy")
