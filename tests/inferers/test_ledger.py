# SPDX-License-Identifier: Apache-2.0
import pytest

from tomobundles.inferers.ledger import Ledger


def _started(path, *, fingerprint="abc"):
    ledger = Ledger(path, fingerprint=fingerprint)
    ledger.start()
    return ledger


def test_what_is_missing(tmp_path):
    ledger = _started(tmp_path / "new" / "ledger.jsonl")
    assert not ledger.resumed
    assert ledger.missing("z", 10) == [range(10)]
    ledger.add("z", 4, 6)
    ledger.add("z", 0, 2)
    ledger.add("y", 0, 3)
    assert ledger.missing("z", 10) == [range(2, 4), range(6, 10)]
    assert ledger.missing("y", 3) == []
    assert ledger.missing("x", 1) == [range(1)]
    ledger.add("z", 3, 7)  # overlaps are no harm
    assert ledger.missing("z", 10) == [range(2, 3), range(7, 10)]


def test_the_same_work_goes_on(tmp_path):
    path = tmp_path / "ledger.jsonl"
    _started(path).add("z", 0, 4)
    again = _started(path)
    assert again.resumed
    assert again.missing("z", 8) == [range(4, 8)]
    again.add("z", 4, 8)
    assert Ledger(path, fingerprint="abc").missing("z", 8) == []


def test_other_work_starts_anew(tmp_path):
    path = tmp_path / "ledger.jsonl"
    _started(path).add("z", 0, 4)
    other = _started(path, fingerprint="other")
    assert not other.resumed
    assert other.missing("z", 8) == [range(8)]
    assert not Ledger(path, fingerprint="abc").resumed


@pytest.mark.parametrize("torn", ['{"axis": "z", "sta', "3", "[]", "\x00\x00", '{"axis": "z"}'])
def test_a_torn_line_is_forgotten(tmp_path, torn):
    path = tmp_path / "ledger.jsonl"
    _started(path).add("z", 0, 4)
    with path.open("a") as file:
        file.write(torn)
    again = _started(path)
    assert again.resumed
    assert again.missing("z", 8) == [range(4, 8)]
    again.add("z", 4, 6)
    assert Ledger(path, fingerprint="abc").missing("z", 8) == [range(6, 8)]


@pytest.mark.parametrize("text", ["", "no JSON", '{"axis": "z", "start": 0, "stop": 4}', "7"])
def test_what_is_no_ledger_counts_for_nothing(tmp_path, text):
    path = tmp_path / "ledger.jsonl"
    path.write_text(text)
    assert not Ledger(path, fingerprint="abc").resumed


def test_forgetting(tmp_path):
    path = tmp_path / "ledger.jsonl"
    ledger = _started(path)
    ledger.add("z", 0, 4)
    ledger.forget()
    assert not path.exists()
    assert ledger.missing("z", 4) == [range(4)]
