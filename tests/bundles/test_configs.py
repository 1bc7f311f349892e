# SPDX-License-Identifier: Apache-2.0
"""Every config of every bundle parses, resolves and keeps the collection's conventions."""

import json
import logging
import re
from pydoc import locate

import pytest
import torch
from monai.bundle import ComponentLocator, ConfigParser

from tests.helpers import ROOT, TINY_NETWORK, workflow
from tomobundles.networks import GridUNet

BUNDLES = sorted(path.parent for path in (ROOT / "bundles").glob("*/configs"))
# metadata.json is no config; the rest is a workflow of its own or an overlay on one
WORKFLOWS = ("train.json", "inference.json")
# overlays that lie on an inference, or on both
LAID = {f"lung_nodule/{name}": WORKFLOWS for name in ("full_network", "unet_2d", "unet_3d")}
LAID["lung_nodule/two_stage"] = ("inference.json",)
# inference by an exported file, which tests/bundles/test_exported.py writes
EXPORTED = ("inference_onnx", "inference_trt")
FIRST_IDS = [
    "imports",
    "bundle_root",
    "sample_dir",
    "dataset_dir",
    "datalist",
    "variant",
    "output_dir",
    "ckpt_dir",
]
LAST_IDS = ["initialize", "training", "run"]


def _files(*, overlays):
    for bundle in BUNDLES:
        for path in sorted((bundle / "configs").glob("*.json")):
            if path.name != "metadata.json" and (path.name not in WORKFLOWS) == overlays:
                yield pytest.param(path, id=f"{bundle.name}/{path.name}")


def _json(path):
    return json.loads(path.read_text(encoding="utf-8"))


def _walk(node):
    """Every value below a node."""
    yield node
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    for child in children:
        yield from _walk(child)


@pytest.fixture(autouse=True)
def _from_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)
    level = logging.getLogger().level
    yield
    logging.getLogger().setLevel(level)


def test_there_are_bundles():
    assert BUNDLES


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda path: path.name)
def test_bundle_has_what_the_specification_wants(bundle):
    for name in ("LICENSE", "docs/README.md", "configs/metadata.json", "configs/logging.conf"):
        assert (bundle / name).is_file(), name
    assert not list(bundle.rglob("*.py"))  # wiring only: logic lies in the collection's own folders
    metadata = _json(bundle / "configs" / "metadata.json")
    assert metadata["version"] in metadata["changelog"]
    assert {"image"} == set(metadata["network_data_format"]["inputs"])
    assert {"pred"} == set(metadata["network_data_format"]["outputs"])


@pytest.fixture
def needs(
    contest_dir, trained, heads_dir, trained_ich, kidneys_dir, trained_kidney, chests_dir, trained_lung
):
    """What each bundle needs to be built: tiny data and a model trained on it."""
    return {
        "oct_edema": {"dataset_dir": str(contest_dir), "ckpt_dir": str(trained / "models")},
        "ich": {
            "dataset_dir": str(heads_dir),
            "ckpt_dir": str(trained_ich / "models"),
            "network_def#backbone": "resnet18",
        },
        "kidney_vasculature": {
            "dataset_dir": str(kidneys_dir),
            "ckpt_dir": str(trained_kidney / "models"),
            "width": 4,
        },
        "lung_nodule": {
            "dataset_dir": str(chests_dir),
            "ckpt_dir": str(trained_lung / "models"),
            **TINY_NETWORK,
        },
    }


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda path: path.name)
@pytest.mark.parametrize(("name", "kind"), [("train.json", "train"), ("inference.json", "infer")])
def test_properties_resolve(bundle, name, kind, needs, tmp_path):
    made = workflow(bundle / "configs" / name, kind=kind, output_dir=str(tmp_path), **needs[bundle.name])
    assert not made.check_properties()


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda path: path.name)
def test_same_ids_in_the_same_order(bundle):
    ids = list(_json(bundle / "configs" / "train.json"))
    assert ids[: len(FIRST_IDS)] == FIRST_IDS
    assert ids[-len(LAST_IDS) :] == LAST_IDS
    order = [
        "device",
        "seed",
        "epochs",
        "val_interval",
        "num_slices",
        "network_def",
        "network",
        "loss",
        "optimizer",
    ]
    order += ["lr_scheduler", "train", "validate"]
    if "num_slices" not in ids:  # a network of three dimensions alone
        order.remove("num_slices")
    assert [name for name in ids if name in order] == order


# what the two workflows must share, as far as a bundle has it
SHARED_IDS = [
    "bundle_root",
    "sample_dir",
    "num_slices",
    "slice_dim",
    "reverse_stack",
    "normalize_per_image",
    "axes",
    "class_names",
    "label_values",
    "layout",
    "normalize",
    "network_def",
    "windows",
    "skip",
    "views",
    "width",
    "percentiles",
    "spacing_um",
    "target_spacing",
    "threshold",
    "inference_axes",
    "roi_size",
    "skip_empty",
    "flips",
    "quarter_turns",
    "memory_mb",
    "neighbours",
    "image_size",
    "context_gain",
    "posterior",
    "anchors",
    "stride",
    "stem",
    "channels",
    "decoder_channels",
    "encoder_blocks",
    "decoder_blocks",
    "head_channels",
    "dropout",
    "lung_mask",
    "spacing",
    "hu_offset",
    "load_keys",
    "series",
    "accept",
    "detector_def",
    "candidates",
    "min_probability",
    "nms_iou",
    "vote_iou",
    "max_candidates",
    "bf16_inference",
    "memory_format",
    "amp",
]
ONLY_FOR_TRAINING = {"imagenet_weights"}
# labels are for training, whose patches are read along other axes than slices are inferred
ONLY_TRANSFORMS = {"random_access", "allow_missing_keys", "slicing_axes"}
INFERER = ("num_slices", "slice_dim", "reverse", "normalize", "finish", "channels_last", "bf16")
VOLUME_INFERER = ("axes", "windows", "views", "store", "batch_size", "memory_mb", "device")


@pytest.mark.parametrize("bundle", BUNDLES, ids=lambda path: path.name)
def test_inference_sees_what_training_made(bundle):
    train, inference = (_json(bundle / "configs" / name) for name in WORKFLOWS)
    for name in ONLY_FOR_TRAINING & set(train["network_def"]):
        train["network_def"].pop(name)
    train["layout"].pop("validation", None)
    inference["layout"].pop("section", None)  # which part of a data set is inferred
    for shared in SHARED_IDS:
        assert train.get(shared) == inference.get(shared), shared
    apart = {"keys", "_target_"} | (ONLY_TRANSFORMS if bundle.name == "kidney_vasculature" else set())
    ours = {
        item["_target_"]: {key: value for key, value in item.items() if key not in apart}
        for item in train["train"]["deterministic_transforms"]
    }
    for item in inference["preprocessing"]["transforms"]:
        rest = {key: value for key, value in item.items() if key not in apart}
        assert ours[item["_target_"]] == rest
    slices = [parts.get("slices", parts["inferer"]) for parts in (train["validate"], inference)]
    if isinstance(slices[0], str):  # "@id" of what both have
        assert slices[0] == slices[1]
        slices = [parts[slices[0].lstrip("@")] for parts in (train, inference)]
    keys = INFERER + (VOLUME_INFERER if slices[0]["_target_"].endswith("VolumeInferer") else ())
    for key in keys:
        assert slices[0].get(key) == slices[1].get(key), key
    if "postprocessing" in train["validate"]:
        assert train["validate"]["postprocessing"] == inference["postprocessing"]


@pytest.mark.parametrize("path", [*_files(overlays=False), *_files(overlays=True)])
def test_conventions(path):
    config = _json(path)
    for value in _walk(config):
        if isinstance(value, dict) and isinstance(value.get("_target_"), str):
            name = ComponentLocator().get_component_module_name(value["_target_"]) or value["_target_"]
            assert locate(name) is not None, f"{name} cannot be imported"
        if not isinstance(value, str):
            continue
        assert not value.startswith("/"), "absolute path"
        assert "lambda" not in value, "spawned workers cannot pickle it"
        if value.startswith("$"):
            assert len(value) <= 100, "logic belongs in tested Python"
        if value.startswith(("$import", "$from")):
            assert "tomobundles" not in value, "MONAI swallows an import that fails at initialize"
    for key in config:
        assert not re.match(r"^(train|validate)#handlers#\d", key), "positional trick"


def _save(network, folder, name=None):
    path = folder / (name or f"{sum(value.numel() for value in network.parameters())}.pt")
    torch.save(network.state_dict(), path)
    return str(path)


def _laid():
    """Overlays and what they lie on: a training, and an inference where they change what is inferred."""
    for param in _files(overlays=True):
        [path] = param.values
        if path.stem in EXPORTED or path.stem.startswith("multi_gpu_"):  # the latter under torchrun alone
            continue
        bases = LAID.get(f"{path.parent.parent.name}/{path.stem}", ("train.json",))
        for base in bases:
            yield pytest.param(path, base, id=f"{param.id} on {base}")


def _needed_ids(config, overrides, folder):
    """What overlays on lung_nodule want besides: another model, a table of false positives."""
    found = {}
    if "detector_dir" in config:
        found["detector_dir"] = overrides["ckpt_dir"]
    if "false_positives" in config:
        table = folder / "false_positives.csv"
        row = "LKDS-00001,0,20,-250,8,0.9"
        table.write_text(f"seriesuid,coordX,coordY,coordZ,diameter_mm,probability\n{row}\n")
        found["false_positives"] = str(table)
    return found


@pytest.mark.parametrize(("path", "base"), list(_laid()))
def test_overlays_fit_what_they_lie_on(path, base, needs, trained, tmp_path):
    bundle = path.parent.parent.name
    overrides = needs[bundle] | {"output_dir": str(tmp_path)}
    overrides |= _needed_ids(_json(path), overrides, tmp_path)
    if path.stem == "fusion":
        overrides["fusion_paths"] = [_save(GridUNet(nested=nested), tmp_path) for nested in (True, False)]
    if "init_weights" in _json(path):  # goes on from another overlay's training
        overrides["init_weights"] = f"{overrides['ckpt_dir']}/model.pt"
    kind = "infer" if base == "inference.json" else "train"
    if kind == "infer":  # weights of the overlay's own network
        network = workflow(path.parent / base, path, kind=kind, **overrides).parser
        _save(network.get_parsed_content("network_def"), tmp_path, name="model.pt")
        overrides["ckpt_dir"] = str(tmp_path)
    made = workflow(path.parent / base, path, kind=kind, **overrides)
    assert not made.check_properties()
    below = ConfigParser()
    below.read_config(str(path.parent / base))
    for key in _json(path):
        parent = key.lstrip("+").rpartition("#")[0]
        if parent:
            assert isinstance(below[parent], dict), f"{key}: nothing to lay it on"


@pytest.mark.parametrize("path", list(_files(overlays=True)))
def test_only_evaluation_overlays_add_runs(path):
    runs = [
        key for key in _json(path) if key == "run" or ("#" not in key and key.endswith(("ing", "inference")))
    ]
    runs = [key for key in runs if key != "bf16_inference"]
    assert runs in ([], ["evaluating", "run"], ["calibrating", "run"], ["mining", "run"])
