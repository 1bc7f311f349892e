# SPDX-License-Identifier: Apache-2.0
"""Commands: ``tomobundles VERB`` or ``python -m tomobundles.scripts.VERB``."""
