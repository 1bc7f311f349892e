# SPDX-License-Identifier: Apache-2.0
"""Every bundle's network exported: MONAI's own checks, and inference by ONNX as by torch."""

import argparse
import csv
import json

import nibabel as nib
import numpy as np
import pytest
import torch
from monai.bundle import ConfigParser, ckpt_export, verify_net_in_out

from tests.helpers import ICH, KIDNEY, LUNG, OCT, ROOT, TINY_NETWORK, workflow
from tomobundles.data.volumes import open_volume
from tomobundles.networks import OnnxNetwork
from tomobundles.scripts import export

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")
CONFIGS = {"oct_edema": OCT, "ich": ICH, "kidney_vasculature": KIDNEY, "lung_nodule": LUNG}
MODELS = {
    "oct_edema": ("trained", "contest_dir", {}),
    "ich": ("trained_ich", "heads_dir", {"network_def#backbone": "resnet18"}),
    "kidney_vasculature": ("trained_kidney", "kidneys_dir", {"width": 4}),
    "lung_nodule": ("trained_lung", "chests_dir", TINY_NETWORK),
}
FORMS = {
    "oct_edema": ["mask", "csv"],
    "ich": ["csv", "heatmaps"],
    "kidney_vasculature": ["mask", "probability", "table", "attention"],
    "lung_nodule": ["contest_csv", "mask"],
}


@pytest.fixture(autouse=True)
def _from_the_root(monkeypatch):
    monkeypatch.chdir(ROOT)


@pytest.fixture(params=CONFIGS)
def bundle(request):
    """Name, configs, folder of the model, folder of the data, what the model was trained with."""
    model, data, options = MODELS[request.param]
    model = request.getfixturevalue(model) / "models"
    return request.param, CONFIGS[request.param], model, request.getfixturevalue(data), options


@pytest.mark.parametrize("size", [{}, {"n": 4, "any": 64}], ids=["the zoo's call", "larger"])
@pytest.mark.parametrize("name", CONFIGS)
def test_monai_verifies_shapes(name, size):
    configs = CONFIGS[name]
    verify_net_in_out(
        net_id="network_def",
        meta_file=str(configs / "metadata.json"),
        config_file=str(configs / "inference.json"),
        bundle_root=str(configs.parent),
        **size,
        **(TINY_NETWORK if name == "lung_nodule" else {}),
        **({"network_def#backbone": "resnet18"} if name == "ich" else {}),
    )


def test_monai_exports_torchscript(bundle, tmp_path):
    """The call of the zoo's CI; the file gives the Python network's numbers."""
    _, configs, model, _, options = bundle
    inference = str(configs / "inference.json")
    ckpt_export(
        net_id="network_def",
        filepath=str(tmp_path / "verify_model.ts"),
        ckpt_file=str(model / "model.pt"),
        meta_file=str(configs / "metadata.json"),
        config_file=inference,
        bundle_root=str(configs.parent),
        **options,
    )
    parser = ConfigParser(ConfigParser.load_config_file(inference))
    parser.update({"ckpt_dir": str(model), **options})
    network = parser.get_parsed_content("network").eval()
    loaded = torch.jit.load(tmp_path / "verify_model.ts")
    image = torch.rand(1, network.in_channels, *[32] * getattr(network, "spatial_dims", 2))
    with torch.no_grad():
        ours, theirs = network(image), loaded(image)
    if isinstance(ours, torch.Tensor):
        ours, theirs = {"": ours}, {"": theirs}
    for key, value in ours.items():
        torch.testing.assert_close(theirs[key], value, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("overlay", ["inference_onnx", "inference_trt"])
@pytest.mark.parametrize("name", CONFIGS)
def test_overlays_name_what_is_below(name, overlay):
    below = ConfigParser.load_config_file(CONFIGS[name] / "inference.json")
    laid = json.loads((CONFIGS[name] / f"{overlay}.json").read_text())
    for key in laid:
        node = below
        for part in key.split("#"):
            node = node[part]
    both = ConfigParser.load_config_files([CONFIGS[name] / f for f in ("inference.json", f"{overlay}.json")])
    assert both["network"] == laid["network"]
    assert both["network"]["like"] == "@network_def"


@pytest.fixture
def both(bundle, tmp_path, capsys):
    """Folders of results by torch and by ONNX, and the model's folder with model.onnx."""
    pytest.importorskip("onnxscript", reason="pip install onnxscript")
    pytest.importorskip("onnxruntime", reason="pip install onnxruntime")
    name, configs, model, data, options = bundle
    settings = [f"{key}={json.dumps(value)}" for key, value in options.items()]
    parser = argparse.ArgumentParser()
    export.add_arguments(parser)
    given = [name, "--model_dir", str(model), "--output_dir", str(tmp_path / "models")]
    export.run(parser.parse_args([*given, *(["--set", *settings] if settings else [])]))
    assert "model.onnx" in capsys.readouterr().out
    for file in model.iterdir():
        if file.name != "last.pt":
            (tmp_path / "models" / file.name).symlink_to(file)
    for kind, overlays in (("torch", ()), ("onnx", (configs / "inference_onnx.json",))):
        made = workflow(
            configs / "inference.json",
            *overlays,
            kind="infer",
            dataset_dir=str(data),
            ckpt_dir=str(tmp_path / "models"),
            output_dir=str(tmp_path / kind),
            outputs=FORMS[name],
            **options,
            **({"bf16_inference": False} if name == "lung_nodule" else {}),
        )
        assert isinstance(made.parser.get_parsed_content("network"), OnnxNetwork) == (kind == "onnx")
        made.run()
    return name, tmp_path / "torch", tmp_path / "onnx"


def test_inference_by_onnx_is_that_by_torch(both):
    name, ours, theirs = both
    files = {path.relative_to(ours) for path in ours.rglob("*") if path.is_file()}
    others = {path.relative_to(theirs) for path in theirs.rglob("*") if path.is_file()}
    if name == "kidney_vasculature":  # the file has no attention maps
        files = {path for path in files if "attention" not in path.name}
    files = {path for path in files if "cache" not in path.parts}
    others = {path for path in others if "cache" not in path.parts}
    assert files == others
    compared = [_compare(ours / path, theirs / path) for path in sorted(files)]
    if name == "kidney_vasculature":
        found = [open_volume(path).read_all() for path in _probabilities(ours, theirs)]
        scale = 65535 if found[0].dtype.kind == "u" else 1
        assert np.abs(np.subtract(*(one.astype(float) for one in found))).max() / scale <= 1e-4
    assert sum(compared) >= 2


def _probabilities(*folders):
    return [next(folder.rglob("*_probability.ome.zarr")) for folder in folders]


def _compare(ours, theirs):
    """Whether the kind of file was compared."""
    if ours.suffix == ".csv":
        _compare_tables(ours, theirs)
    elif ours.name.endswith(".nii.gz"):
        first, second = (np.asarray(nib.load(path).dataobj) for path in (ours, theirs))
        if first.dtype.kind == "f":
            np.testing.assert_allclose(second, first, atol=1e-3 * max(1, np.abs(first).max()))
        else:
            np.testing.assert_array_equal(second, first)
    elif ours.suffix in (".tif", ".bmp"):
        assert ours.read_bytes() == theirs.read_bytes()
    else:
        return False
    return True


def _compare_tables(ours, theirs):
    tables = []
    for path in (ours, theirs):
        with path.open(newline="") as stream:
            tables.append(list(csv.reader(stream)))
    assert len(tables[0]) == len(tables[1])
    timed = {index for index, name in enumerate(tables[0][0]) if "seconds" in name or name.endswith("_s")}
    for first, second in zip(*tables, strict=True):
        assert len(first) == len(second)
        for index, (one, other) in enumerate(zip(first, second, strict=True)):
            if index in timed or one == other:
                continue
            assert abs(float(one) - float(other)) <= 1e-4 * max(1, abs(float(one))), (ours.name, one, other)
