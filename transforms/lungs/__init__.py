# SPDX-License-Identifier: Apache-2.0
"""Where the lungs are in a chest CT."""
