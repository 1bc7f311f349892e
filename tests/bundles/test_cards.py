# SPDX-License-Identifier: Apache-2.0
"""Model cards, data licences, licences and changelogs: the same parts everywhere, and in agreement."""

import hashlib
import json
import re

import pytest

import tomobundles
from benchmarks.network_figures import SHAPES, figure_path
from tests.helpers import ROOT
from tomobundles.visualize.network_figure import read_facts

BUNDLES = sorted(path.parents[1].name for path in (ROOT / "bundles").glob("*/configs/metadata.json"))
SECTIONS = [
    "Overview",
    "Data",
    "Network",
    "Training",
    "Results",
    "Use",
    "Limits",
    "Intended use",
    "References",
    "License",
    "Changelog",
]
# SHA-256 of the words of the Apache License 2.0, as in Debian and in MONAI
APACHE_2 = "0ffddef9e48f8a09aed5caf2d44f7ba1c1be2d9b8e0a6f693b1635b2d5566645"
PARTS = ("Data whose layout is read", "Data of the published results")

every_bundle = pytest.mark.parametrize("bundle", BUNDLES)


def read(bundle, *names):
    return (ROOT / "bundles" / bundle).joinpath(*names).read_text(encoding="utf-8")


def card(bundle):
    """Sections of a model card by their titles, in order; before the first stands the card's title."""
    parts = re.split(r"^## (.+)\n", read(bundle, "docs", "README.md"), flags=re.M)
    return parts[0], dict(zip(parts[1::2], parts[2::2], strict=True))


def metadata(bundle):
    return json.loads(read(bundle, "configs", "metadata.json"))


def test_all_four_are_looked_at():
    assert sorted(SHAPES) == BUNDLES
    assert len(BUNDLES) == 4


@every_bundle
def test_cards_have_the_same_sections(bundle):
    title, sections = card(bundle)
    assert re.fullmatch(rf"# {bundle}: .+\n\n", title)
    assert list(sections) == SECTIONS
    assert all(len(text.strip()) > 40 for text in sections.values())


@every_bundle
def test_the_network_is_shown_with_its_numbers(bundle):
    """Parameters and multiply-adds of the text are those of the figure, which are those of the network."""
    network, facts = card(bundle)[1]["Network"], read_facts(figure_path(bundle))
    assert "](network.png)" in network
    assert f"`{facts['network']}`" in network
    assert f"{facts['parameters']:,} parameters" in network
    assert f"{facts['macs'] / 1e9:.1f} billion multiply-adds" in network
    channels = re.search(r"^\| input \| (\w+) x rows", network, re.M)[1]
    image = metadata(bundle)["network_data_format"]["inputs"]["image"]
    assert channels in (str(image["num_channels"]), "slices")  # a channel a slice


@every_bundle
def test_results_name_command_seeds_and_machine(bundle):
    results = card(bundle)[1]["Results"]
    assert "```bash\npython benchmarks/" in results
    assert re.search(r"seeds? 1", results)
    assert "two cores" in results.lower()


@every_bundle
def test_use_shows_every_workflow(bundle):
    use = card(bundle)[1]["Use"]
    for workflow in ("training", "evaluating", "inference"):
        assert f"python -m monai.bundle run {workflow} --config_file" in use


@every_bundle
def test_intended_use_is_research(bundle):
    overview, intended = card(bundle)[1]["Overview"], card(bundle)[1]["Intended use"]
    assert "not for diagnosis" in overview
    assert "Research" in intended
    assert re.search(r"Not for\s+diagnosis", intended)
    assert metadata(bundle)["intended_use"] == "Research; not for diagnosis"


@every_bundle
def test_references_of_the_metadata_are_in_the_card(bundle):
    references = re.sub(r"\s+", " ", card(bundle)[1]["References"])
    for reference in metadata(bundle)["references"]:
        assert reference.split(" et al.")[0].split(". Prob")[0] in references, reference


@every_bundle
def test_card_and_metadata_agree_on_the_versions(bundle):
    found = metadata(bundle)
    changes = card(bundle)[1]["Changelog"]
    assert f"Version {found['version']}," in changes
    assert re.findall(r"^- ([\d.]+): (.+)$", changes, re.M) == list(found["changelog"].items())


@every_bundle
def test_the_changelog_has_every_version_of_the_metadata(bundle):
    """The newest of both is the package's own: bundles are released with the code they need."""
    headings = re.findall(r"^## (\d+\.\d+\.\d+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.M)
    found = metadata(bundle)
    assert headings[0] == found["version"] == next(iter(found["changelog"])) == tomobundles.__version__
    assert set(found["changelog"]) <= set(headings)
    assert f"`{bundle}`" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


@every_bundle
def test_licence_is_the_whole_apache_2(bundle):
    for text in (read(bundle, "LICENSE"), (ROOT / "LICENSE").read_text(encoding="utf-8")):
        assert hashlib.sha256(" ".join(text.split()).encode()).hexdigest() == APACHE_2


@every_bundle
def test_licences_are_linked(bundle):
    data, licence = card(bundle)[1]["Data"], card(bundle)[1]["License"]
    assert "](data_license.txt)" in data
    assert "](../LICENSE)" in licence
    assert "](data_license.txt)" in licence


@every_bundle
def test_data_licences_are_stated_for_every_set(bundle):
    """Numbered without gaps; each says its terms; what was not seen is to be checked."""
    text = read(bundle, "docs", "data_license.txt")
    assert "No data of others are distributed with this bundle" in text
    assert all(f"\n{part}" in text for part in PARTS)
    entries = re.split(r"^\d+\. ", text, flags=re.M)[1:]
    assert [int(number) for number in re.findall(r"^(\d+)\. ", text, re.M)] == list(
        range(1, len(entries) + 1)
    )
    for entry in entries:
        assert "\n   Terms: " in entry
        terms = re.sub(r"\s+", " ", entry.split("   Terms: ", 1)[1])
        if re.search(r"not (known|seen)|none stated|states no licence|no licence of", terms):
            assert "check" in terms or "were not seen" in terms, entry


@every_bundle
def test_what_the_card_calls_its_data_is_in_the_licences(bundle):
    """Sets that the published results name in bold or by their project are listed with their terms."""
    text = read(bundle, "docs", "data_license.txt")
    published = card(bundle)[1]["Results"].split("### On published scans", 1)[1].split("\n### ", 1)[0]
    names = re.findall(r"\*\*([^*]+)\*\*", published)
    names += re.findall(r"LIDC-IDRI|PYRAD-lung1|CANDAT|Two-photon|HiP-CT", published)
    assert names
    for name in names:
        assert name.replace("Bogotá", "Bogota") in text, name
