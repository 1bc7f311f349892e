# SPDX-License-Identifier: Apache-2.0
"""List a folder of packed bundles: model_info.json as in the model zoo, and a page to look at."""

from __future__ import annotations

import argparse
from pathlib import Path

from .sharing.model_info import MODEL_INFO, check_url, find_archives, is_misread, write_model_info
from .sharing.zoo_index import INDEX, write_index


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the verb's arguments."""
    parser.add_argument("folder", type=Path, help="the folder with <name>_v<version>.zip; it is written to")
    parser.add_argument(
        "--url", help="where the folder will be found, such as https://server.example/zoo (default: relative)"
    )
    parser.add_argument(
        "--replace", action="store_true", help="accept other contents of a version that is listed already"
    )


def run(arguments: argparse.Namespace) -> None:
    """Check the zips, write both files, and print what is offered."""
    url = None if arguments.url is None else check_url(arguments.url)
    archives = find_archives(arguments.folder)
    write_model_info(archives, arguments.folder / MODEL_INFO, url=url, replace=arguments.replace)
    write_index(archives, arguments.folder, url=url)
    for archive in archives:
        print(f"{archive.key}: {archive.size:,} bytes, SHA-256 {archive.sha256}")
    for name in sorted({archive.name for archive in archives if is_misread(archive.name)}):
        print(f"note: MONAI's get_bundle_versions misreads {name} (it cuts at _v); download --url does not")
    print(f"wrote {arguments.folder / MODEL_INFO} and {arguments.folder / INDEX}")


if __name__ == "__main__":
    from .cli import run_verb

    run_verb("zoo")
