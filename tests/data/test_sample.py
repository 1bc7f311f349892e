# SPDX-License-Identifier: Apache-2.0
import pytest

from tomobundles.data.sample import SAMPLES, make_sample
from tomobundles.utils import InputError


def test_a_sample_is_made_once_where_it_is_absent_or_empty(tmp_path, monkeypatch, caplog):
    monkeypatch.setitem(SAMPLES, "oct_edema", lambda folder: (folder / "scan").write_text("made"))
    caplog.set_level("INFO", "tomobundles")
    folder = tmp_path / "sample"
    folder.mkdir()
    assert make_sample("oct_edema", folder) == folder
    assert "simulated scans" in caplog.text
    (folder / "scan").write_text("the user's")
    caplog.clear()
    assert make_sample("oct_edema", str(folder)) == folder
    assert (folder / "scan").read_text() == "the user's"
    assert caplog.text == ""


def test_no_sample_of_that_task(tmp_path):
    with pytest.raises(InputError, match=r"(?s)no sample of 'lungs'.*oct_edema"):
        make_sample("lungs", tmp_path)
