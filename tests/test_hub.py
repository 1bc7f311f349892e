# SPDX-License-Identifier: Apache-2.0
"""MONAI's push_to_hf_hub on an unpacked bundle, with a hub that only writes down what it is given.

The stand-in has the calls of huggingface_hub 2.4 that MONAI makes, with its keywords; others are errors.
"""

import json
import os
import subprocess
import sys

import monai.bundle.__main__
import pytest
from monai.bundle import push_to_hf_hub
from monai.bundle import scripts as monai_scripts

from tomobundles.scripts.sharing.manifest import MANIFEST, file_sums, read_manifest
from tomobundles.scripts.sharing.unpack import unpack

from .scripts.sharing.zips import bundle_files, shown, write_zip

HUB = '''
"""A hub that keeps a list of what it is asked."""
import json, os
from fnmatch import fnmatch
from pathlib import Path

def _note(**call):
    with open(os.environ["HUB_CALLS"], "a") as file:
        file.write(json.dumps(call) + "\\n")

class HfApi:
    def __init__(self, endpoint=None, token=None):
        _note(call="HfApi", token=token)

    def create_repo(self, repo_id, *, token=None, private=None, repo_type=None, exist_ok=False):
        _note(call="create_repo", repo_id=repo_id, private=private, exist_ok=exist_ok)

    def upload_folder(self, *, repo_id, folder_path, path_in_repo=None, commit_message=None, revision=None,
                      allow_patterns=None, ignore_patterns=None, delete_patterns=None):
        root = Path(folder_path)
        names = sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())
        names = [name for name in names if not any(fnmatch(name, one) for one in ignore_patterns or [])]
        _note(call="upload_folder", repo_id=repo_id, files=names)
        return "address of " + repo_id

    def create_tag(self, repo_id, *, tag, tag_message=None, revision=None, exist_ok=False):
        _note(call="create_tag", repo_id=repo_id, tag=tag, exist_ok=exist_ok)
'''
HEADER = "---\ntags:\n- monai\n- medical\nlibrary_name: monai\nlicense: apache-2.0\n---\n"
IGNORED = ["output/*", "*__pycache__*"]


@pytest.fixture
def bundle(tmp_path):
    """A bundle as its zip unpacks."""
    return unpack(write_zip(tmp_path), tmp_path / "home")


@pytest.fixture
def calls(tmp_path, monkeypatch):
    """The stand-in on the path, and a function that reads what it was asked."""
    (tmp_path / "stub" / "huggingface_hub").mkdir(parents=True)
    (tmp_path / "stub" / "huggingface_hub" / "__init__.py").write_text(HUB)
    monkeypatch.setenv("HUB_CALLS", str(tmp_path / "calls.jsonl"))
    hub = {}
    exec(compile(HUB, "hub", "exec"), hub)
    monkeypatch.setattr(monai_scripts, "huggingface_hub", type("Hub", (), {"HfApi": hub["HfApi"]}))
    return lambda: [json.loads(line) for line in (tmp_path / "calls.jsonl").read_text().splitlines()]


def _run_once(bundle):
    """Leave what a run leaves in the folder."""
    for name in ("output/P1/findings.csv", "tomobundles/__pycache__/x.pyc"):
        (bundle / name).parent.mkdir(parents=True)
        (bundle / name).touch()


def test_the_command_sends_the_bundle_and_a_tag(bundle, calls, tmp_path):
    """As docs/sharing.md shows it; results of a run are kept back."""
    _run_once(bundle)
    done = subprocess.run(
        [sys.executable, *shown("python -m fire monai.bundle push_to_hf_hub")[1:]],
        env=os.environ | {"PYTHONPATH": str(tmp_path / "stub")},
        cwd=bundle.parent,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert calls() == [
        {"call": "HfApi", "token": None},
        {"call": "create_repo", "repo_id": "ORG/oct_edema", "private": True, "exist_ok": True},
        {
            "call": "upload_folder",
            "repo_id": "ORG/oct_edema",
            "files": sorted([*bundle_files(), MANIFEST, "README.md"]),
        },
        {"call": "create_tag", "repo_id": "ORG/oct_edema", "tag": "0.1.0", "exist_ok": True},
    ]


def test_monais_own_entry_does_not_offer_it():
    """The command of its docstring fails in 1.6.1; when this fails, docs/sharing.md can be simpler."""
    assert not hasattr(monai.bundle.__main__, "push_to_hf_hub")
    assert hasattr(monai.bundle.__main__, "download")


def _push(bundle, **options):
    return push_to_hf_hub("org/it", name=bundle.name, bundle_dir=str(bundle.parent), **options)


def test_the_page_is_the_model_card_under_a_header(bundle, calls):
    """The header's licence is read from LICENSE; the card itself and everything listed stay as they were."""
    card = (bundle / "docs" / "README.md").read_text()
    assert _push(bundle) == "address of org/it"
    assert (bundle / "README.md").read_text() == HEADER + card
    stated, found = read_manifest(bundle), file_sums(bundle)
    assert {name: found[name] for name in stated} == stated
    assert found.keys() - stated.keys() == {"README.md"}
    assert [call["call"] for call in calls()] == ["HfApi", "create_repo", "upload_folder"]


def test_pushing_twice_sends_one_header(bundle, calls):
    for _ in range(2):
        _push(bundle)
    assert (bundle / "README.md").read_text().count("library_name: monai") == 1
    assert len(calls()) == 6


def test_public_and_latest_by_choice(bundle, calls):
    _push(bundle, private=False, version="0.1.0", tag_as_latest_version=True)
    assert calls()[1]["private"] is False
    assert [call["tag"] for call in calls() if call["call"] == "create_tag"] == ["0.1.0", "latest_version"]


def test_results_beside_the_bundle_are_sent_unless_ignored(bundle, calls):
    """All of the folder goes: a patient's results too, if the bundle has been run there."""
    _run_once(bundle)
    _push(bundle)
    _push(bundle, ignore_patterns=IGNORED)
    first, second = (set(call["files"]) for call in calls() if call["call"] == "upload_folder")
    assert first - second == {"output/P1/findings.csv", "tomobundles/__pycache__/x.pyc"}
    assert second == {*bundle_files(), MANIFEST, "README.md"}
