# SPDX-License-Identifier: Apache-2.0
"""All checks of one bundle: a sound one passes, each fault is found by the check it is meant for."""

import importlib.util
import marshal
import sys

import pytest

from tomobundles import __version__
from tomobundles.scripts.sharing import checks
from tomobundles.scripts.sharing.checks import Result, verify_bundle
from tomobundles.utils import InputError

from .tiny_bundle import broken, build, edit_json

READ_ONLY = ["manifest", "layout", "metadata", "configs", "code"]


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """A sound bundle; read only."""
    return build(tmp_path_factory.mktemp("packed"))


def _files(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*")}


def test_a_sound_bundle_passes_with_its_own_code(packed):
    """In the child process; nothing is left in the folder."""
    before = _files(packed)
    results = verify_bundle(packed)
    assert [result.name for result in results if not result.passed] == []
    assert [result.name for result in results[:5]] == READ_ONLY
    assert len(results) == 10
    assert _files(packed) == before


def test_bytecode_in_the_folder_is_not_run(packed, tmp_path):
    """Bytecode that is marked as unchecked (PEP 552) would run in the place of the code that was read."""
    root = broken(packed, tmp_path, lambda _: None)
    source, ran = root / "tomobundles/__init__.py", tmp_path / "ran"
    code = compile(f"{source.read_text()}\nopen({str(ran)!r}, 'w').close()", str(source), "exec")
    cache = source.parent / "__pycache__"
    cache.mkdir()
    header = importlib.util.MAGIC_NUMBER + b"\1" + bytes(11)
    (cache / f"__init__.{sys.implementation.cache_tag}.pyc").write_bytes(header + marshal.dumps(code))
    results = verify_bundle(root)
    assert all(result.passed for result in results)
    assert not ran.exists()
    assert str(results[0]) == "ok      manifest: not checked: 1 left by runs (output, bytecode)"


def _write(name, text):
    def change(root):
        (root / name).unlink(missing_ok=True)
        (root / name).write_text(text)

    return change


def _edit(name, **values):
    return lambda root: edit_json(root / "configs" / name, lambda config: config.update(values))


MUTANTS = {  # the fault, whether the manifest knows it, the check, what it says
    "changed weights": (_write("models/model.pt", "x"), False, "manifest", "models/model.pt: its checksum"),
    "removed docs": (lambda root: (root / "docs/README.md").unlink(), False, "manifest", "not there"),
    "stray page": (_write("docs/more.md", ""), False, "manifest", "docs/more.md: not listed"),
    "no manifest": (lambda root: (root / "SHA256SUMS").unlink(), False, "manifest", "package"),
    "listed stray module": (_write("torch.py", ""), True, "layout", "torch.py: has no place"),
    "no licence": (lambda root: (root / "LICENSE").unlink(), True, "layout", "LICENSE: missing"),
    "no model": (lambda root: (root / "models/model.pt").unlink(), True, "layout", "model.pt: missing"),
    "no version": (_edit("metadata.json", version=None), True, "metadata", "version"),
    "unknown version": (_edit("metadata.json", version="9"), True, "metadata", "changelog"),
    "code in metadata": (_edit("metadata.json", task="$exec('1')"), True, "metadata", "resolve"),
    "metadata cut off": (_write("configs/metadata.json", "{"), True, "metadata", "cannot be read"),
    "hostile target": (_edit("train.json", a={"_target_": "os.system"}), True, "configs", "os.system"),
    "hostile expression": (_edit("inference.json", a="$exec('1')"), True, "configs", "calls exec"),
    "absolute path": (_edit("inference.json", dataset_dir="/data"), True, "configs", "absolute"),
    "file macro": (_edit("evaluate.json", a="%train.json::b"), True, "configs", "another file"),
    "lost class": (
        _write("tomobundles/networks/__init__.py", ""),
        True,
        "configs",
        "'tomobundles.networks.AttentionUNet' is not defined",
    ),
}


@pytest.mark.parametrize(("change", "signed", "check", "reason"), MUTANTS.values(), ids=MUTANTS)
def test_each_fault_is_found_and_no_code_is_run(change, signed, check, reason, packed, tmp_path, monkeypatch):
    monkeypatch.setattr(checks, "_CHILD", tmp_path / "never.py")
    results = verify_bundle(broken(packed, tmp_path, change, sign=signed))
    failed = {result.name: str(result) for result in results if not result.passed}
    assert list(failed) == [check]
    assert reason in failed[check]
    assert results[-1].note == "left out, the checks above failed"


def test_read_only(packed):
    results = verify_bundle(packed, static=True)
    assert [result.name for result in results] == [*READ_ONLY, "run"]
    assert str(results[-1]) == "ok      run: left out, not asked for"
    assert results[4].note.endswith(f"the installed tomobundles {__version__}")


def test_other_code_is_run_only_where_it_is_trusted(packed, tmp_path, monkeypatch):
    child = tmp_path / "child.py"
    child.write_text('print(\'[["ran", ""]]\')')
    monkeypatch.setattr(checks, "_CHILD", child)
    root = broken(packed, tmp_path, _write("tomobundles/utils/errors.py", "# another\n"))
    assert str(verify_bundle(root)[-1]) == "ok      run: left out, the code is another (see --trust_code)"
    assert verify_bundle(root, trust_code=True)[-1].name == "ran"
    assert verify_bundle(packed)[-1].name == "ran"


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("raise SystemExit('gave up')", "gave up"),
        ("print('no JSON')", "exit status 0"),
        ("import os; os._exit(3)", "exit status 3"),
        ("import time; time.sleep(60)", "not finished after 2 s"),
    ],
)
def test_a_child_that_dies_is_a_failure(script, reason, packed, tmp_path, monkeypatch):
    child = tmp_path / "child.py"
    child.write_text(script)
    monkeypatch.setattr(checks, "_CHILD", child)
    last = verify_bundle(packed, timeout=2.0)[-1]
    assert not last.passed
    assert reason in str(last)


def test_one_line_a_result():
    assert str(Result("configs")) == "ok      configs"
    problems = ("a: x", "b: y", "c: z", "d: w")
    assert str(Result("configs", problems)) == "FAILED  configs: a: x; b: y; c: z; and 1 more"
    assert str(Result("code", note="the same")) == "ok      code: the same"
    assert str(Result("a", ("x\nok b\x1b[2K\ud800",))) == "FAILED  a: x\\nok b\\x1b[2K\\ud800"


def test_no_such_folder(tmp_path):
    with pytest.raises(InputError, match="no such bundle"):
        verify_bundle(tmp_path / "none")
