# SPDX-License-Identifier: Apache-2.0
"""The scripts of docs/clusters.md: they parse, and what they start is what the bundles have."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess

import pytest
from torch.distributed.run import get_args_parser

from tomobundles.utils.overrides import check_overrides

from .helpers import ROOT

TEXT = (ROOT / "docs" / "clusters.md").read_text(encoding="utf-8")


def _blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", TEXT, re.S | re.M)


def _pods():
    yaml = pytest.importorskip("yaml", reason="PyYAML reads the example")
    [job] = map(yaml.safe_load, _blocks("yaml"))
    return job, job["spec"]["pytorchReplicaSpecs"]


def _commands():
    [script] = _blocks("sbatch")
    [job] = _blocks("yaml")
    several = next(block for block in _blocks("text") if "torchrun" in block)
    for name, text in (("several machines", several), ("sbatch", script), ("yaml", job)):
        joined = text.replace("\\\n", " ")
        line = next(line for line in joined.splitlines() if "torchrun" in line)
        yield pytest.param(line, id=name)


@pytest.mark.parametrize("line", list(_commands()))
def test_torchrun_and_the_bundle_know_all_arguments(line, monkeypatch):
    """torchrun's own parser, then the check of overrides that a run starts with."""
    monkeypatch.chdir(ROOT)
    line = line.replace("$configs", "bundles/oct_edema/configs").replace("$output", "runs")
    line = line.replace("$SLURM_NNODES", "2").replace('"${resume[@]}" &', "--resume last.pt")
    line = line.replace('$([ -f "$last" ] && echo --resume "$last")', "--resume last.pt")
    words = shlex.split(line)
    given = get_args_parser().parse_args(words[words.index("torchrun") + 1 :])
    assert (given.module, given.training_script) == (True, "monai.bundle")
    assert given.training_script_args[:2] == ["run", "training"]
    check_overrides(["monai/bundle/__main__.py", *given.training_script_args])
    files = re.findall(r"bundles/[\w/]+\.json", line)
    assert len(files) == 2
    assert all((ROOT / file).is_file() for file in files)


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash to read the script")
def test_scripts_are_shell():
    for script in _blocks("sbatch"):
        done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")
        assert script.startswith("#!/bin/bash\n#SBATCH ")


def test_the_job_is_a_pytorch_job():
    job, pods = _pods()
    assert (job["apiVersion"], job["kind"]) == ("kubeflow.org/v1", "PyTorchJob")
    assert set(pods) == {"Master", "Worker"}
    for pod in pods.values():
        [container] = pod["template"]["spec"]["containers"]
        assert container["name"] == "pytorch"  # the operator looks for this one
        assert container["resources"]["limits"]["nvidia.com/gpu"] == int(job["spec"]["nprocPerNode"])
        volumes = {volume["name"] for volume in pod["template"]["spec"]["volumes"]}
        assert {mount["name"] for mount in container["volumeMounts"]} == volumes


@pytest.mark.skipif(shutil.which("bash") is None, reason="no bash to read the command")
def test_the_job_resumes_where_there_is_a_checkpoint(tmp_path):
    """The pod's command with torchrun replaced by echo, with and without last.pt."""
    _, pods = _pods()
    [container] = pods["Worker"]["template"]["spec"]["containers"]
    command = container["command"][2].replace("exec torchrun", "echo").replace("/data", str(tmp_path))

    def said():
        done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
        return done.stdout.split()

    assert "--resume" not in said()
    last = tmp_path / "runs" / "oct_edema" / "models" / "last.pt"
    last.parent.mkdir(parents=True)
    last.touch()
    assert said()[-2:] == ["--resume", str(last)]
