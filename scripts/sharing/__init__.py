# SPDX-License-Identifier: Apache-2.0
"""Bundles that leave the collection: packed, checked, listed, exported."""
