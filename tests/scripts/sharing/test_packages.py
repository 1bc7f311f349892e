# SPDX-License-Identifier: Apache-2.0
"""Every bundle's metadata names the distributions that its code imports."""

import json
from importlib import metadata

import pytest

from tests.helpers import ROOT
from tomobundles.scripts.sharing import packages
from tomobundles.scripts.sharing.config_values import own_targets
from tomobundles.scripts.sharing.packages import required_packages

BUNDLES = sorted(path.parents[1] for path in (ROOT / "bundles").glob("*/configs/metadata.json"))
# named apart from the list: MONAI asks for their versions by keys of their own
APART = {"monai": "monai_version", "torch": "pytorch_version", "numpy": "numpy_version"}


def _metadata(bundle):
    return json.loads((bundle / "configs" / "metadata.json").read_text())


def _named(bundle):
    content = _metadata(bundle)
    return content["required_packages_version"] | {name: content[key] for name, key in APART.items()}


def test_import_names_become_names_of_distributions(monkeypatch):
    tops = {"PIL", "skimage", "ignite", "torch", "not_installed"}
    monkeypatch.setattr(packages, "foreign_packages", lambda names, lazy=True: tops if lazy else {"torch"})
    found = required_packages(["tomobundles.x"])
    assert found.eager == {"torch"}
    assert found.lazy == {"pillow", "scikit-image", "pytorch-ignite", "not-installed"}


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda path: path.name)
def test_metadata_names_what_is_imported(bundle):
    needed = required_packages(own_targets([bundle])).eager
    assert {"torch", "monai", "numpy", "pytorch-ignite"} <= needed
    assert needed <= set(_named(bundle))


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda path: path.name)
def test_the_list_is_sorted_and_leaves_options_out(bundle):
    names = list(_metadata(bundle)["required_packages_version"])
    assert names == sorted(names)
    assert not {"simpleitk", "SimpleITK", "pylibjpeg", "torchvision", "tomobundles"} & set(names)


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda path: path.name)
def test_the_versions_go_together(bundle):
    """What the metadata names is what these tests run with, as far as the versions are installed here.

    A requirement of one of the named on another is met by the version named for that one.
    """
    requirements = pytest.importorskip("packaging.requirements")
    named = {name.lower(): version for name, version in _named(bundle).items()}
    for name in named:
        for line in metadata.requires(name) or ():
            requirement = requirements.Requirement(line)
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                version = named.get(requirement.name.lower())
                assert version is None or requirement.specifier.contains(version), f"{name} needs {line}"


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda path: path.name)
def test_bundles_agree_on_versions(bundle):
    """One process may load all four."""
    for other in BUNDLES:
        both = _named(bundle).items() | _named(other).items()
        assert len(both) == len({name for name, _ in both})
