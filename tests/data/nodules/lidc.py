# SPDX-License-Identifier: Apache-2.0
"""Small XML files as LIDC-IDRI has them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

XML = """<?xml version="1.0" encoding="UTF-8"?>
<LidcReadMessage xmlns="http://www.nih.gov" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance">
<ResponseHeader><SeriesInstanceUid>{uid}</SeriesInstanceUid></ResponseHeader>
{sessions}</LidcReadMessage>
"""


def square(low: int, high: int) -> list[tuple[int, int]]:
    """Corners of a contour whose inside are the pixels low + 1 to high - 1 in x and y."""
    return [(low, low), (high, low), (high, high), (low, high)]


def roi(z: float, points: Sequence[tuple[int, int]], *, inclusion: str = "TRUE", sop: str = "") -> str:
    edges = "".join(f"<edgeMap><xCoord>{x}</xCoord><yCoord>{y}</yCoord></edgeMap>" for x, y in points)
    return (
        f"<roi><imageZposition>{z}</imageZposition><imageSOP_UID>{sop}</imageSOP_UID>"
        f"<inclusion>{inclusion}</inclusion>{edges}</roi>"
    )


def nodule(*rois: str, rated: bool = True) -> str:
    ratings = "<characteristics><subtlety>5</subtlety></characteristics>" if rated else "<characteristics/>"
    return f"<unblindedReadNodule><noduleID>1</noduleID>{ratings}{''.join(rois)}</unblindedReadNodule>"


def other(z: float, x: int, y: int) -> str:
    locus = f"<locus><xCoord>{x}</xCoord><yCoord>{y}</yCoord></locus>"
    return f"<nonNodule><imageZposition>{z}</imageZposition><imageSOP_UID/>{locus}</nonNodule>"


def write_xml(path: Path, *sessions: str, uid: str = "1.2.3.4") -> Path:
    """Write a reading, a string of marks for each reader."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = "".join(f"<readingSession>{session}</readingSession>\n" for session in sessions)
    path.write_text(XML.format(uid=uid, sessions=text))
    return path
