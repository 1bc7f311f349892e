# SPDX-License-Identifier: Apache-2.0
import logging
import warnings

import pytest

from tomobundles.data.dicom.quiet import quiet


def test_pydicom_is_silent_inside_only(recwarn, caplog):
    logger = logging.getLogger("pydicom")
    with quiet():
        warnings.warn("Doe^Jane", stacklevel=1)
        logger.warning("Doe^Jane")
    assert not recwarn.list
    assert caplog.text == ""
    logger.warning("after")
    assert "after" in caplog.text


def test_it_ends_with_an_error_too(caplog):
    with pytest.raises(ValueError, match="x"), quiet():
        raise ValueError("x")
    logging.getLogger("pydicom").warning("after")
    assert "after" in caplog.text
