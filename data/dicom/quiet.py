# SPDX-License-Identifier: Apache-2.0
"""pydicom without its warnings, which quote attributes."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """Silence pydicom's warnings and log.

    Values are judged by this package's own findings. A warning about a damaged element may hold whatever
    follows it in the file, the patient's name too, and would end in the terminal and in log files.
    """
    logger = logging.getLogger("pydicom")
    logger.addFilter(_nothing)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.removeFilter(_nothing)


def _nothing(record: logging.LogRecord) -> bool:
    return False
