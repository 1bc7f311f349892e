# SPDX-License-Identifier: Apache-2.0
"""tomobundles: four MONAI bundles for tomography and the parts that they share.

Everything importable is ``tomobundles.<folder>``. In a checkout the folders lie beside this one, at the
repository's root; an installed package or a zipped bundle holds them inside this folder.
"""

import sys
from importlib.machinery import PathFinder
from pathlib import Path

__version__ = "0.1.0"

_ROOT = Path(__file__).resolve().parent.parent
if (_ROOT / "setup.cfg").is_file() and str(_ROOT) not in __path__:
    __path__.append(str(_ROOT))


def check_one_release() -> None:
    """Refuse a process that holds modules of two copies of this package, or that would import another copy.

    A host that runs several bundles puts the folder of each on ``sys.path``; what is imported already stays,
    and the second bundle would run on the first one's code without a word.

    Raises:
        ImportError: names both copies.
    """
    for name, module in tuple(sys.modules.items()):
        file = getattr(module, "__file__", None)
        if name.startswith(f"{__name__}.") and file and not _is_ours(name, Path(file)):
            raise ImportError(_two_copies(file))
    spec = PathFinder.find_spec(__name__)
    if spec is None or spec.origin is None or Path(spec.origin).resolve() == Path(__file__).resolve():
        return
    # the same release twice is harmless: two bundles may each carry it
    if f'__version__ = "{__version__}"' not in (spec.loader.get_source(__name__) or ""):
        raise ImportError(_two_copies(spec.origin))
    # two zips of one version may still hold other code; a checkout has no digest and counts by its version
    digests = {_code_digest(file) for file in (__file__, spec.origin)} - {None}
    if len(digests) > 1:
        raise ImportError(_two_copies(spec.origin))


def _code_digest(file: str) -> str | None:
    """Read the digest that a packed bundle has beside its ``__init__.py``; a checkout has none."""
    digest = Path(file).with_name("CODE_SHA256")
    return digest.read_text(encoding="ascii").strip() if digest.is_file() else None


def _is_ours(name: str, file: Path) -> bool:
    """Compare a module's file with where its name leads in this copy (a .venv may lie inside a checkout)."""
    parts = name.split(".")[1:]
    ours = [Path(folder, *parts).resolve() for folder in __path__]
    return file.resolve().with_suffix("") in [*ours, *(folder / "__init__" for folder in ours)]


def _two_copies(file: str) -> str:
    return f"two copies of {__name__} in one process: {__file__} and {file}; keep one of them on sys.path"


check_one_release()
