# SPDX-License-Identifier: Apache-2.0
"""Files of a bundle's folder against its manifest, and files in the wrong place."""

import pytest

from tests.helpers import ROOT
from tomobundles.scripts.sharing.contents import (
    REQUIRED,
    code_line,
    layout_problems,
    left_by_runs,
    manifest_problems,
)
from tomobundles.scripts.sharing.manifest import write_manifest


def _put(root, name, text="x"):
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.fixture
def bundle(tmp_path):
    """Every file that a bundle must have, and some more, with a manifest."""
    root = tmp_path / "bundle"
    extra = (
        "docs/figures/net.png",
        "tomobundles/__init__.py",
        "tomobundles/CODE_SHA256",
        "models/empty.json",
    )
    for name in (*REQUIRED, *extra):
        _put(root, name)
    write_manifest(root)
    return root


def test_a_sound_folder_passes(bundle):
    assert manifest_problems(bundle) == layout_problems(bundle) == []


def test_what_runs_leave_passes(bundle):
    for name in ("output/run/models/model.pt", "sample/a.npy", "eval/schema.json"):
        _put(bundle, name)
    for name in ("tomobundles/__pycache__/a.pyc", "tomobundles/networks/__pycache__/a.pyc"):
        _put(bundle, name)
    assert manifest_problems(bundle) == layout_problems(bundle) == []
    assert left_by_runs(bundle) == 5


def test_what_runs_leave_has_no_place_in_a_fresh_folder(bundle):
    assert manifest_problems(bundle, fresh=True) == layout_problems(bundle, fresh=True) == []
    for name in ("output/run/models/model.pt", "tomobundles/__pycache__/a.pyc"):
        _put(bundle, name)
    names = ("output/run/models/model.pt", "tomobundles/__pycache__/a.pyc")
    assert manifest_problems(bundle, fresh=True) == [f"{name}: not listed" for name in names]
    assert layout_problems(bundle, fresh=True) == [f"{name}: has no place in a bundle" for name in names]


def test_a_file_that_is_called_like_a_folder_of_runs_does_not(bundle):
    _put(bundle, "output")
    assert manifest_problems(bundle) == ["output: not listed"]
    assert layout_problems(bundle) == ["output: has no place in a bundle"]


def test_faults_of_the_manifest(bundle):
    _put(bundle, "torch.py")
    _put(bundle, "LICENSE", "changed")
    (bundle / "models/empty.json").unlink()
    (bundle / "docs/link.md").symlink_to(bundle / "LICENSE")
    assert sorted(manifest_problems(bundle)) == [
        "LICENSE: its checksum differs",
        "docs/link.md: a symbolic link",
        "models/empty.json: listed, but not there",
        "torch.py: not listed",
    ]


def test_a_linked_folder_is_named_and_not_followed(bundle, tmp_path):
    _put(tmp_path / "elsewhere", "a.py")
    (bundle / "docs" / "more").symlink_to(tmp_path / "elsewhere")
    assert manifest_problems(bundle) == ["docs/more: a symbolic link"]


def test_without_a_manifest(bundle):
    (bundle / "SHA256SUMS").unlink()
    (found,) = manifest_problems(bundle)
    assert found.startswith("SHA256SUMS: ")
    assert "tomobundles package" in found


@pytest.mark.parametrize("name", REQUIRED)
def test_what_must_be_there(bundle, name):
    (bundle / name).unlink()
    assert layout_problems(bundle) == [f"{name}: missing"]


@pytest.mark.parametrize(
    "name",
    [
        "torch.py",
        "monai/__init__.py",
        "sitecustomize.py",
        "scripts/tool.py",
        "configs/more.py",
        "configs/train.yaml",
        "models/model.pkl",
        "models/last.ckpt",
        "docs/example.py",
        "tomobundles/fast.so",
        "tomobundles/__init__.pyc",
        "docs.md",
    ],
)
def test_files_without_a_place(bundle, name):
    _put(bundle, name)
    write_manifest(bundle)
    assert manifest_problems(bundle) == []
    assert layout_problems(bundle) == [f"{name}: has no place in a bundle"]


def test_code_of_the_installed_package_is_known(tmp_path):
    assert code_line(tmp_path) == "none here, it would take that of the installed"
    for name in ("tomobundles/__init__.py", "utils/__init__.py", "utils/errors.py"):
        inside = name.removeprefix("tomobundles/")
        _put(tmp_path, f"tomobundles/{inside}", (ROOT / name).read_text(encoding="utf-8"))
    assert code_line(tmp_path) == "the same as the installed"
    _put(tmp_path, "tomobundles/utils/errors.py")
    _put(tmp_path, "tomobundles/utils/more.py")
    assert code_line(tmp_path) == "differs in 2 of 4 files from the installed"
