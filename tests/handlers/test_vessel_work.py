# SPDX-License-Identifier: Apache-2.0
"""The end of a run over volumes of vessels."""

from types import SimpleNamespace

from tests.handlers.ranks import Ranks
from tomobundles.handlers.vessel_work import join_run_lengths, remove_work


def test_run_lengths_in_the_given_order(tmp_path):
    for name in "ab":
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name}_rle.csv").write_text(f"id,rle\n{name}_0,1 1\n{name}_1,\n")
    path = join_run_lengths(tmp_path, ["b", "a"])
    assert path == tmp_path / "submission.csv"
    assert path.read_text() == "id,rle\nb_0,1 1\nb_1,\na_0,1 1\na_1,\n"


def test_each_rank_removes_its_own_and_rank_0_what_is_shared(monkeypatch, tmp_path):
    ranks = Ranks(monkeypatch, 2)
    work, copies = tmp_path / "work", tmp_path / "out" / "cache" / "volumes"
    for folder in (work / "masks", work / "stores", copies):
        folder.mkdir(parents=True)
    seen = []

    def run(rank):
        mask, store = work / "masks" / f"{rank}.npy", work / "stores" / str(rank)
        mask.write_text("mask")
        (copies / f"{rank}.npy").write_text("copy")
        store.mkdir()

        def remove():
            seen.append(len(list(copies.iterdir())))
            store.rmdir()

        stores = [SimpleNamespace(folder=store, remove=remove)]
        remove_work(stores, masks=[mask, work / "absent"], work_dir=work, shared=copies)

    assert ranks.run(run) == [None, None]
    assert seen == [2, 2]  # copies are there as long as any rank may read them
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out"]
    assert list((tmp_path / "out").iterdir()) == []


def test_others_files_stay(tmp_path):
    (tmp_path / "masks").mkdir()
    (tmp_path / "mine.txt").write_text("mine")
    remove_work([], masks=[], work_dir=tmp_path, shared=None)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
