# SPDX-License-Identifier: Apache-2.0
"""tomobundles: four MONAI bundles for tomography and the parts that they share.

Everything importable is ``tomobundles.<folder>``. In a checkout the folders lie beside this one, at the
repository's root; an installed package or a zipped bundle holds them inside this folder.
"""

from pathlib import Path

__version__ = "0.1.0"

_ROOT = Path(__file__).resolve().parent.parent
if (_ROOT / "setup.cfg").is_file() and str(_ROOT) not in __path__:
    __path__.append(str(_ROOT))
