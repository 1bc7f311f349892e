# SPDX-License-Identifier: Apache-2.0
"""One import root in three forms: a bare clone, an editable install, a wheel; and never two at once."""

import configparser
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import types
import zipfile
from importlib import metadata
from pathlib import Path

import pytest

from tomobundles.utils import start_run

from .helpers import OCT, ROOT, bundle_run

NOT_INSTALLED = {"tests", "benchmarks", "bundles"}
# -S skips site-packages and with it the hook of an editable install; PYTHONPATH then gives the dependencies
# alone, since .pth files are read in site-packages only
NO_SITE = ("-S",)
LIBRARIES = os.pathsep.join(dict.fromkeys([sysconfig.get_path("purelib"), sysconfig.get_path("platlib")]))


def _repository_files():
    """Tracked files and new ones, relative to the root."""
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("not a git checkout")
    return sorted({Path(line) for line in listed.stdout.splitlines() if (ROOT / line).is_file()})


@pytest.fixture(scope="module")
def clone(tmp_path_factory):
    """A copy of the working tree without what git ignores; read only."""
    folder = tmp_path_factory.mktemp("clone")
    for file in _repository_files():
        (folder / file.parent).mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, folder / file)
    return folder


@pytest.fixture(scope="module")
def wheel(clone, tmp_path_factory):
    folder = tmp_path_factory.mktemp("wheel")
    source = shutil.copytree(clone, folder / "source")  # building leaves its own folders there
    _pip("wheel", "--no-build-isolation", "--wheel-dir", str(folder), str(source))
    (built,) = folder.glob("*.whl")
    return built


def _pip(verb, *arguments):
    command = [sys.executable, "-m", "pip", "--disable-pip-version-check", verb, "--no-index", "--no-deps"]
    done = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _say_where(package):
    """Let the rooms that training needs print their file when imported."""
    for room in ("networks", "data", "handlers"):
        with (package / room / "__init__.py").open("a") as stream:
            stream.write('\nprint("imported", __file__)\n')


def _imported(done):
    assert done.returncode == 0, done.stderr
    return {Path(line.split(" ", 1)[1]) for line in done.stdout.splitlines() if line.startswith("imported ")}


def _training(cwd, contest_dir, output, *, config_file=OCT / "train.json", **more):
    return bundle_run(
        "training",
        config_file=config_file,
        cwd=cwd,
        dataset_dir=contest_dir,
        epochs=1,
        batch_size=4,
        output_dir=output,
        **more,
    )


def test_a_bare_clone(clone, contest_dir, tmp_path):
    copy = shutil.copytree(clone, tmp_path / "clone")
    _say_where(copy)
    done = _training(copy, contest_dir, tmp_path, python_options=NO_SITE, env={"PYTHONPATH": LIBRARIES})
    assert _imported(done) == {copy / room / "__init__.py" for room in ("networks", "data", "handlers")}
    assert (tmp_path / "models" / "model.pt").is_file()


def test_a_clone_wins_over_an_installed_copy(clone):
    """The hook of an editable install answers last, after the working directory."""
    script = "import tomobundles, importlib.util as u; print(u.find_spec('tomobundles.networks').origin)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=clone, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == str(clone / "networks" / "__init__.py"), done.stderr


def _is_editable():
    # all of that name: a checkout's own egg-info says nothing about how it was installed
    texts = [found.read_text("direct_url.json") for found in metadata.distributions(name="tomobundles")]
    return any(json.loads(text or "{}").get("dir_info", {}).get("editable") for text in texts)


def test_an_editable_install_from_another_directory(contest_dir, tmp_path):
    if not _is_editable():
        pytest.skip("tomobundles is not installed as editable in this environment")
    script = "import tomobundles.networks; print(tomobundles.networks.__file__)"
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout.strip() == str(ROOT / "networks" / "__init__.py"), done.stderr
    done = _training(tmp_path, contest_dir, tmp_path / "out", config_file=ROOT / OCT / "train.json")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / "models" / "model.pt").is_file()


def test_a_wheel_with_nothing_but_the_bundles(wheel, contest_dir, tmp_path):
    target, work = tmp_path / "target", tmp_path / "work"
    _pip("install", "--target", str(target), str(wheel))
    shutil.copytree(ROOT / "bundles/oct_edema/configs", work / "bundles/oct_edema/configs")
    _say_where(target / "tomobundles")
    env = {"PYTHONPATH": os.pathsep.join([str(target), LIBRARIES])}
    done = _training(work, contest_dir, tmp_path, python_options=NO_SITE, env=env)
    expected = {target / "tomobundles" / room / "__init__.py" for room in ("networks", "data", "handlers")}
    assert _imported(done) == expected
    assert (tmp_path / "models" / "model.pt").is_file()


def _setup():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    folders = dict(line.split(" = ") for line in config["options"]["package_dir"].strip().splitlines())
    return config["options"]["packages"].split(), folders


def test_setup_cfg_names_every_folder_of_code():
    packages, folders = _setup()
    found = {
        file.parent.as_posix()
        for file in _repository_files()
        if file.suffix == ".py" and len(file.parts) > 1 and file.parts[0] not in NOT_INSTALLED
        if file.parts[:2] != ("scripts", "hosts")  # apps that other software loads from their folders
    }
    assert found == set(folders.values())
    assert set(packages) == set(folders)
    for package, folder in folders.items():
        name = folder.replace("/", ".")
        assert package == (name if name == "tomobundles" else f"tomobundles.{name}")


def test_a_wheel_holds_the_packages_and_nothing_else(wheel):
    _, folders = _setup()
    expected = {
        f"{package.replace('.', '/')}/{file.name}"
        for package, folder in folders.items()
        for file in _repository_files()
        if file.suffix == ".py" and file.parent == Path(folder)
    }
    with zipfile.ZipFile(wheel) as archive:
        names = {name for name in archive.namelist() if ".dist-info/" not in name}
        licences = [name for name in archive.namelist() if name.endswith("/LICENSE")]
    assert names == expected
    assert licences


def _release(folder, version, *, checkout=False, digest=None):
    """A stand-in for a release: our __init__.py and one empty room; packed ones have a digest."""
    text = (ROOT / "tomobundles" / "__init__.py").read_text(encoding="utf-8")
    own = text.split('__version__ = "')[1].split('"')[0]
    (folder / "tomobundles").mkdir(parents=True)
    (folder / "tomobundles" / "__init__.py").write_text(text.replace(f'"{own}"', f'"{version}"'))
    room = folder / "networks" if checkout else folder / "tomobundles" / "networks"
    room.mkdir()
    (room / "__init__.py").touch()
    if checkout:
        (folder / "setup.cfg").touch()
    if digest:
        (folder / "tomobundles" / "CODE_SHA256").write_text(f"{digest}\n")
    return folder


def _two(first, second, script):
    """Import the first release, put the second before it, go on with the script."""
    lines = ["import importlib, sys", f"sys.path.insert(0, {str(first)!r})", "import tomobundles.networks"]
    lines += [f"sys.path.insert(0, {str(second)!r})", "importlib.invalidate_caches()", *script]
    return subprocess.run(
        [sys.executable, "-S", "-c", "\n".join(lines)],
        cwd=first.parent,
        capture_output=True,
        text=True,
        check=False,
    )


RELOAD = ["importlib.reload(tomobundles)"]
FORGET = ["del sys.modules['tomobundles']", "import tomobundles"]
CHECK = ["tomobundles.check_one_release()"]


@pytest.mark.parametrize("script", [RELOAD, FORGET, CHECK], ids=["reload", "forget", "check"])
@pytest.mark.parametrize("second", ["other", "first/.venv"], ids=["beside", "inside the checkout"])
def test_two_releases_in_one_process_are_refused(script, second, tmp_path):
    old = _release(tmp_path / "first", "1.0", checkout=True)
    new = _release(tmp_path / second, "2.0")
    done = _two(old, new, script)
    assert done.returncode == 1
    message = done.stderr.splitlines()[-1]
    assert message.startswith("ImportError: two copies of tomobundles in one process")
    assert str(old) in message
    assert str(new / "tomobundles") in message


def test_a_wheel_forgotten_for_a_checkout_around_it_is_refused(tmp_path):
    new = _release(tmp_path / "first", "2.0", checkout=True)
    old = _release(tmp_path / "first" / ".venv", "1.0")
    for script in (RELOAD, FORGET):
        done = _two(old, new, script)
        assert "ImportError: two copies of tomobundles" in done.stderr


def test_one_release_twice_and_a_second_one_behind_are_harmless(tmp_path):
    first, again = _release(tmp_path / "a", "1.0"), _release(tmp_path / "b", "1.0")
    done = _two(first, again, CHECK)
    assert done.returncode == 0, done.stderr
    behind = _release(tmp_path / "c", "2.0")
    done = _two(first, again, ["sys.path.pop(0)", f"sys.path.append({str(behind)!r})", *CHECK])
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("script", [RELOAD, FORGET, CHECK], ids=["reload", "forget", "check"])
def test_one_version_with_other_code_is_refused(script, tmp_path):
    first = _release(tmp_path / "a", "1.0", digest="11aa")
    other = _release(tmp_path / "b", "1.0", digest="22bb")
    done = _two(first, other, script)
    assert done.returncode == 1
    message = done.stderr.splitlines()[-1]
    assert message.startswith("ImportError: two copies of tomobundles in one process")
    assert str(first) in message
    assert str(other / "tomobundles") in message


@pytest.mark.parametrize("digests", [("11aa", "11aa"), ("11aa", None), (None, "11aa")])
def test_one_version_with_the_same_code_or_a_checkout_is_harmless(digests, tmp_path):
    first = _release(tmp_path / "a", "1.0", digest=digests[0], checkout=digests[0] is None)
    second = _release(tmp_path / "b", "1.0", digest=digests[1], checkout=digests[1] is None)
    done = _two(first, second, CHECK)
    assert done.returncode == 0, done.stderr


def test_the_code_digest_of_one_version_does_not_make_another_fit(tmp_path):
    first = _release(tmp_path / "a", "1.0", digest="11aa")
    done = _two(first, _release(tmp_path / "b", "2.0", digest="11aa"), CHECK)
    assert "ImportError: two copies of tomobundles" in done.stderr


def test_a_run_starts_with_the_check(monkeypatch, tmp_path):
    foreign = types.ModuleType("tomobundles.networks.other")
    foreign.__file__ = str(tmp_path / "other.py")
    monkeypatch.setitem(sys.modules, foreign.__name__, foreign)
    with pytest.raises(ImportError, match=f"two copies .* {tmp_path}"):
        start_run(seed=None, keep_memory=False)
