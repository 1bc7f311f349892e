# SPDX-License-Identifier: Apache-2.0
"""Is a value better than the best so far, when either may be NaN."""

from __future__ import annotations

import math


def is_better(current: float, best: float) -> bool:
    """Whether ``current`` beats ``best``: greater is better, NaN never wins and always loses.

    Fits ``metric_cmp_fn`` of MONAI's engines, whose own default keeps a first value of NaN for ever.

    Args:
        current: the new value.
        best: the best value so far; NaN if there was none.
    """
    return not math.isnan(current) and (math.isnan(best) or current > best)
