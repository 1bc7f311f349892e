# SPDX-License-Identifier: Apache-2.0
"""Names that are one file in one folder on every system."""

import pytest

from tomobundles.scripts.sharing.archive_names import why_not_names


@pytest.mark.parametrize(
    "names",
    [
        ["b/LICENSE"],
        ["b/", "b/docs/", "b/docs/README.md"],
        ["b/docs/README.md", "b/docs/"],
        ["b/caf\u00e9.txt", "b/\u65e5\u672c.txt"],
        ["b/.hidden", "b/console.txt", "b/a b.txt"],
    ],
)
def test_plain_names_pass(names):
    assert why_not_names(names) is None


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ([], "no entries"),
        (["b"], "one folder"),
        (["b/"], "one folder"),
        ([""], "''.*empty"),
        (["b/\u202eevil", "B/x"], "one folder"),
        (["b/stra\u00dfe", "b/STRASSE"], "twice"),
        (["b/e\u0301", "b/\u00e9"], "twice"),
        (["b/x/y", "b/x"], "twice"),
        (["b/x", "b/X/y"], "also a file"),
        (["b/x", "b/x/"], "twice"),
        (["b/lpt9"], "Windows"),
    ],
)
def test_others_are_refused(names, reason):
    with pytest.raises(AssertionError, match=reason):
        raise AssertionError(why_not_names(names))
