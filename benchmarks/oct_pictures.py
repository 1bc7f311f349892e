# SPDX-License-Identifier: Apache-2.0
"""Pictures of the variants of oct_table.py side by side: a contact sheet and an animated strip.

    python benchmarks/oct_pictures.py --table bundles/oct_edema/output/table --output_dir docs/figures

Takes the held-out test volume whose reference shows most classes and, among those, most slices with them.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from tomobundles.data import AIChallengerLayout, read_volume
from tomobundles.data.writers import volume_name
from tomobundles.visualize import count_pixels, draw_animation, draw_contact_sheet

CLASS_NAMES = ["REA", "SRF", "PED"]
GRAYS = {255: 1, 191: 2, 128: 3}
VARIANTS = {"UNet": "unet", "UNet++": "unetpp", "Dilated UNet++": "dilated", "Fusion": "fusion"}


def classes(path: Path) -> np.ndarray:
    """Class indices of a label folder with the contest's grays."""
    stored, _ = read_volume(path)
    return sum(((stored == gray) * np.uint8(index) for gray, index in GRAYS.items()), np.zeros_like(stored))


def telling_volume(items: list[dict]) -> dict:
    """The item whose reference shows most."""

    def shown(item: dict) -> tuple[int, int]:
        present = count_pixels(classes(Path(item["label"])), len(CLASS_NAMES)) > 0
        return int(present.any(axis=1).sum()), int(present[1:].sum())

    return max(items, key=shown)


def main() -> None:
    """Draw."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", type=Path, required=True)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--dataset_dir", type=Path, default=Path("bundles/oct_edema/sample"))
    parser.add_argument("--output_dir", type=Path, required=True)
    arguments = parser.parse_args()
    item = telling_volume(AIChallengerLayout()(arguments.dataset_dir)["test"])
    name = volume_name(item["image"])
    image, reference = read_volume(item["image"])[0], classes(Path(item["label"]))
    masks = {
        title: classes(
            arguments.table / f"{variant}_{arguments.seed}" / "evaluation" / name / f"{name}_labelMark"
        )
        for title, variant in VARIANTS.items()
    }
    sheet = arguments.output_dir / "oct_edema_contact_sheet.png"
    draw_contact_sheet(sheet, image, {"Reference": reference, **masks}, class_names=CLASS_NAMES, num_slices=4)
    strip = arguments.output_dir / "oct_edema_variants.gif"
    first, *others = masks
    draw_animation(
        strip,
        image,
        masks[first],
        title=first,
        class_names=CLASS_NAMES,
        reference=reference,
        others={title: masks[title] for title in others},
    )
    print(sheet, strip, sep="\n")


if __name__ == "__main__":
    main()
