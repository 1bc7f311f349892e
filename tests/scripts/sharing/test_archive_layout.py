# SPDX-License-Identifier: Apache-2.0
"""Entries of a zip with bytes of their own."""

import io
import zipfile

from tomobundles.scripts.sharing.archive_layout import why_not_layout

from .hostile_zips import patched, zipped


def _why_not(content):
    with zipfile.ZipFile(io.BytesIO(content)) as opened:
        return why_not_layout(opened)


def test_entries_one_after_the_other_pass():
    assert _why_not(zipped()) is None


def test_an_entry_inside_another_is_found():
    """The last entry is said to begin five bytes into the file, inside the first."""
    assert "overlaps" in _why_not(patched(42, "<L", 5))


def test_an_entry_where_none_begins_is_found():
    end = zipped(("b/last.txt", b"12345678")).index(b"12345678")
    assert _why_not(patched(42, "<L", end)) == "b/last.txt: no entry where the list says"


def test_an_entry_that_runs_into_the_list_is_found():
    assert _why_not(patched(20, "<L", 5000)) == "entries overlap the list of entries"
