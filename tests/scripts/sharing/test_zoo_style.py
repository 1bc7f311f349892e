# SPDX-License-Identifier: Apache-2.0
"""The frame of a zoo's page: what is filled in, and that it stands alone."""

from string import Formatter

from tomobundles.scripts.sharing.zoo_style import PAGE, STYLE


def test_what_is_filled_in():
    assert {name for _, name, _, _ in Formatter().parse(PAGE) if name} == {
        "style",
        "count",
        "model_info",
        "address",
        "cards",
    }


def test_the_style_is_whole_and_fetches_nothing():
    assert STYLE.count("{") == STYLE.count("}")
    assert not [word for word in ("url(", "@import", "http:", "https:") if word in STYLE + PAGE]


def test_light_and_dark():
    """Each colour that is named is set for both."""
    light, dark = STYLE.split("prefers-color-scheme: dark", 1)
    for name in ("--line", "--soft", "--link"):
        assert f"{name}: #" in light
        assert f"{name}: #" in dark
