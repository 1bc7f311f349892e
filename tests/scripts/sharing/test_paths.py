# SPDX-License-Identifier: Apache-2.0
"""Texts that lead out of a bundle."""

import pytest

from tomobundles.scripts.sharing.paths import why_not_relative


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("/data", "an absolute path"),
        ("//host/share", "an absolute path"),
        ("\\\\host\\share", "an absolute path"),
        ("C:\\data", "an absolute path"),
        ("d:/data", "an absolute path"),
        ("~/data", "a path in one user's home"),
        ("https://x.org", "an address"),
        (" s3://bucket", "an address"),
        ("sqlite:///runs.db", "an address"),
        ("../data", "a path that leads upwards"),
        ("a\\..\\..\\b", "a path that leads upwards"),
        ("..", "a path that leads upwards"),
    ],
)
def test_what_leads_out(text, reason):
    assert why_not_relative(text) == reason


@pytest.mark.parametrize(
    "text", ["data", "./data", "a..b", "a/b...", "a/b", "C:", "x: y", "", "%training", "@x"]
)
def test_what_stays(text):
    assert why_not_relative(text) is None
