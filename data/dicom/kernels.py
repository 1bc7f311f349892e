# SPDX-License-Identifier: Apache-2.0
"""Reconstruction kernels: soft or sharp, from the names the makers give them."""

from __future__ import annotations

import re

_SHARP_WORDS = ("BONE", "EDGE", "LUNG", "ULTRA", "SHARP")
_SOFT_WORDS = ("SOFT", "STAND", "STD", "STND", "DETAIL", "BRAIN", "SMOOTH", "CHST")
_CANON = re.compile(r"FC(\d{2})")
_SIEMENS = re.compile(r"[A-Z]{1,2}(\d{2})[A-Z]?")
_PHILIPS_SOFT = re.compile(r"[UE]?[ABC]")
_PHILIPS_SHARP = re.compile(r"U?[DEF]|L|Y[A-E]")
_CANON_SHARP_TENS = (3, 5, 8)  # FC30s inner ear and bone, FC50s lung, FC80s bone and high resolution
_SIEMENS_SHARP_FROM = 50


def kernel_class(kernel: str) -> str:
    """Tell the class of a ConvolutionKernel: ``"soft"``, ``"sharp"`` or ``"unknown"``.

    Names are the makers' own and no standard orders them. Known here: GE's words (SOFT, STANDARD, DETAIL;
    BONE, EDGE, LUNG), Siemens' letter and number (H31s, J40s, Hr40: below 50 soft), Canon's and Toshiba's FC
    numbers (FC30s, FC50s and FC80s sharp), Philips' letters (A-C, UA-UC soft; D-F, L, YA-YE sharp).

    Args:
        kernel: the attribute's text; of several values, joined by a backslash, the first counts.
    """
    name = kernel.split("\\")[0].strip().upper()
    if any(word in name for word in _SHARP_WORDS):
        return "sharp"
    if any(word in name for word in _SOFT_WORDS):
        return "soft"
    if match := _CANON.match(name):
        return "sharp" if int(match[1]) // 10 in _CANON_SHARP_TENS else "soft"
    if match := _SIEMENS.fullmatch(name):
        return "sharp" if int(match[1]) >= _SIEMENS_SHARP_FROM else "soft"
    if _PHILIPS_SOFT.fullmatch(name):
        return "soft"
    return "sharp" if _PHILIPS_SHARP.fullmatch(name) else "unknown"
