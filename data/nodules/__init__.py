# SPDX-License-Identifier: Apache-2.0
"""Lung nodules: labels of every form to spheres in the world, and found nodules to files."""
