# SPDX-License-Identifier: Apache-2.0
"""The console command ``tomobundles``: one module of this folder a verb."""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence

from .. import __version__
from ..utils import InputError
from ..utils.run import DEBUG_VARIABLE
from . import datalist, export, froc, package, sample, verify, zoo

VERBS = {
    "sample": sample,
    "datalist": datalist,
    "froc": froc,
    "package": package,
    "verify": verify,
    "zoo": zoo,
    "export": export,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; bad input prints its message and gives exit status 1."""
    parser = argparse.ArgumentParser(
        prog="tomobundles", description="Commands of the tomobundles collection."
    )
    parser.add_argument("--version", action="version", version=__version__)
    verbs = parser.add_subparsers(dest="verb", required=True)
    for name, module in VERBS.items():
        summary = module.__doc__.splitlines()[0]
        module.add_arguments(verbs.add_parser(name, help=summary, description=summary))
    arguments = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s", stream=sys.stderr)
    try:
        VERBS[arguments.verb].run(arguments)
    except InputError as error:
        if os.environ.get(DEBUG_VARIABLE) == "1":
            raise
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def run_verb(name: str) -> None:
    """Entry of ``python -m tomobundles.scripts.<name>``."""
    sys.exit(main([name, *sys.argv[1:]]))


if __name__ == "__main__":
    sys.exit(main())
