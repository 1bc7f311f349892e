# SPDX-License-Identifier: Apache-2.0
import re
from collections import Counter

import numpy as np
import pytest
from PIL import Image

from tomobundles.data.phantoms import oct_sample
from tomobundles.data.phantoms.oct_sample import GREY, plan, write_oct_sample
from tomobundles.utils import InputError

SHAPE, VOLUMES = (48, 32, 3), (4, 2, 3)
SETS = ("Edema_trainingset", "Edema_validationset", "Edema_testset")
NAME = r"P\d{4}_MacularCube32x3_\d{1,2}-\d{1,2}-\d{4}_\d\d-\d\d-\d\d_O[DS]_sn\d{4}_cube_z"


def pixels(path) -> np.ndarray:
    with Image.open(path) as image:
        assert image.mode == "L"
        return np.asarray(image)


@pytest.fixture(scope="module")
def sample(tmp_path_factory):
    root = tmp_path_factory.mktemp("oct") / "sample"
    write_oct_sample(root, shape=SHAPE, volumes=VOLUMES)
    return root


def test_folders_and_names_are_the_contest_s(sample):
    assert sorted(p.name for p in sample.iterdir()) == sorted(SETS)
    for folder, count in zip(SETS, VOLUMES, strict=True):
        images = sorted((sample / folder / "original_images").iterdir())
        labels = sorted((sample / folder / "label_images").iterdir())
        assert len(images) == len(labels) == count
        for image, label in zip(images, labels, strict=True):
            assert re.fullmatch(NAME + r"\.img", image.name)
            assert label.name == image.name.removesuffix(".img") + "_labelMark"
            for volume in (image, label):
                assert sorted(p.name for p in volume.iterdir()) == ["1.bmp", "2.bmp", "3.bmp"]


def test_slices_are_rows_by_columns_and_labels_use_the_contest_s_greys(sample):
    greys = set()
    for path in sample.glob("*/original_images/*/*.bmp"):
        assert pixels(path).shape == (48, 32)
    for path in sample.glob("*/label_images/*/*.bmp"):
        greys |= set(np.unique(pixels(path)).tolist())
    assert greys == {0, 255, 191, 128}
    assert GREY.tolist() == [0, 255, 191, 128]


def test_groundtruth_of_the_validation_set_says_the_same_as_its_labels(sample):
    assert not list(sample.glob("Edema_t*/groundtruth"))
    truth = sample / SETS[1] / "groundtruth"
    assert len(list(truth.iterdir())) == 2 * VOLUMES[1]
    for folder in (sample / SETS[1] / "label_images").iterdir():
        volume = np.load(truth / f"{folder.name}_volumes.npy", allow_pickle=False)
        presence = np.load(truth / f"{folder.name}_detections.npy", allow_pickle=False)
        assert volume.shape == (3, 48, 32)
        assert volume.dtype == presence.dtype == np.uint8
        for k in range(3):
            np.testing.assert_array_equal(GREY[volume[k]], pixels(folder / f"{k + 1}.bmp"))
            assert presence[k].tolist() == [int((volume[k] == c).any()) for c in (1, 2, 3)]


def test_same_seed_same_files_and_another_seed_other_ones(sample, tmp_path):
    for seed in (0, 1):
        write_oct_sample(tmp_path / str(seed), seed=seed, shape=SHAPE, volumes=VOLUMES)

    def files(root):
        return {p.relative_to(root): p.read_bytes() for p in root.rglob("*") if p.is_file()}

    assert files(tmp_path / "0") == files(sample)
    assert not files(tmp_path / "1").keys() & files(sample).keys()


def test_images_of_all_volumes_differ(sample):
    images = {path.read_bytes() for path in sample.glob("*/original_images/*/2.bmp")}
    assert len(images) == sum(VOLUMES)


def test_lesions_are_handed_out_by_the_contest_s_shares():
    # of 70: 7 without any lesion, 63 REA, 55 SRF, 29 PED; of 15: round(1.5) = 2 without, 13 REA, 8 SRF, 6 PED
    for scans, expected in zip(
        plan(0, SHAPE, (70, 15, 15)), [(7, 63, 55, 29)] + [(2, 13, 8, 6)] * 2, strict=True
    ):
        counts = Counter(kind for scan in scans for kind in scan.lesions)
        none = sum(not scan.lesions for scan in scans)
        assert (none, counts["REA"], counts["SRF"], counts["PED"]) == expected


@pytest.mark.parametrize("count", [1, 2, 3, 8])
def test_small_sets_have_every_class(count):
    for scans in plan(0, SHAPE, (count,) * 3):
        assert len(scans) == count
        assert {kind for scan in scans for kind in scan.lesions} == {"REA", "SRF", "PED"}


def test_no_patient_is_in_two_sets_and_most_have_two_eyes():
    sets = plan(3, SHAPE, (70, 15, 15))
    patients = [{scan.patient for scan in scans} for scans in sets]
    assert sum(map(len, patients)) == len(set.union(*patients))
    per_patient = Counter(scan.patient for scan in sets[0])
    assert set(per_patient.values()) == {1, 2}
    assert np.mean([n == 2 for n in per_patient.values()]) > 0.5
    for scan in (scan for scans in sets for scan in scans):
        assert ("_OS_" in scan.name) == (scan.nasal == -1) == (scan.eye == 1)
        assert int(scan.name[1:5]) == scan.patient % 10_000
    names = [scan.name for scans in sets for scan in scans]
    assert len(set(names)) == len(names)


def test_an_empty_folder_is_filled(tmp_path):
    root = tmp_path / "deep" / "sample"
    root.mkdir(parents=True)
    write_oct_sample(root, shape=(48, 32, 1), volumes=(1, 1, 1))
    assert sorted(p.name for p in root.iterdir()) == sorted(SETS)
    assert [p.name for p in root.parent.iterdir()] == ["sample"]


def test_an_interrupted_run_leaves_nothing(tmp_path, monkeypatch):
    made = []

    def stop_at_the_third(*args, **kwargs):
        made.append(1)
        if len(made) == 3:
            raise KeyboardInterrupt
        return volume(*args, **kwargs)

    volume = oct_sample.eye_volume
    monkeypatch.setattr(oct_sample, "eye_volume", stop_at_the_third)
    with pytest.raises(KeyboardInterrupt):
        write_oct_sample(tmp_path / "sample", shape=(48, 32, 1), volumes=(2, 1, 1))
    assert not list(tmp_path.iterdir())


def test_a_folder_that_appears_meanwhile_is_not_overwritten(tmp_path, monkeypatch):
    root = tmp_path / "sample"

    def another_process(*args, **kwargs):
        root.mkdir(exist_ok=True)
        (root / "mine.txt").write_text("mine")

    monkeypatch.setattr(oct_sample, "_write_scan", another_process)
    with pytest.raises(InputError, match="not empty"):
        write_oct_sample(root, shape=(48, 32, 1), volumes=(1, 1, 1))
    assert [p.name for p in tmp_path.rglob("*")] == ["sample", "mine.txt"]


def test_a_folder_in_use_is_refused(tmp_path):
    (tmp_path / "scan.bmp").touch()
    with pytest.raises(InputError, match="exists already and is not empty"):
        write_oct_sample(tmp_path)
    with pytest.raises(InputError, match="exists already"):
        write_oct_sample(tmp_path / "scan.bmp")


@pytest.mark.parametrize("volumes", [(0, 1, 1), (1, 1), (1, 1, -2)])
def test_a_set_without_volumes_is_refused(tmp_path, volumes):
    with pytest.raises(InputError, match="volumes="):
        write_oct_sample(tmp_path / "sample", volumes=volumes)


def test_a_negative_seed_is_refused(tmp_path):
    with pytest.raises(InputError, match="seed -3"):
        write_oct_sample(tmp_path / "sample", seed=-3)
