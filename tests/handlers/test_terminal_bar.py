# SPDX-License-Identifier: Apache-2.0
"""A bar on a terminal, and the log lines around it."""

from __future__ import annotations

import io
import logging
import sys

from tomobundles.handlers.terminal_bar import TerminalBar


class Terminal(io.StringIO):
    def isatty(self):
        return True


def on_terminal(monkeypatch):
    """To be called in the test itself: pytest sets sys.stderr anew between a fixture and its test."""
    monkeypatch.setattr(sys, "stderr", stream := Terminal())
    return stream


def test_nothing_where_there_is_no_terminal(monkeypatch):
    monkeypatch.setattr(sys, "stderr", stream := io.StringIO())
    bar = TerminalBar()
    bar.open(10, "epoch")
    assert not bar.is_open
    bar.close()
    assert stream.getvalue() == ""


def test_shows_counts_and_text(monkeypatch):
    terminal = on_terminal(monkeypatch)
    bar = TerminalBar()
    bar.open(4, "epoch", done=1)
    assert bar.is_open
    bar.show(2, "epoch 1/2", "loss 0.5")
    bar.close()
    assert not bar.is_open
    last = terminal.getvalue().split("\r")[-1]
    assert "epoch 1/2  50%|" in last
    assert last.rstrip().endswith(", loss 0.5")


def test_an_unknown_total_is_no_error(monkeypatch):
    terminal = on_terminal(monkeypatch)
    bar = TerminalBar()
    bar.open(0, "epoch")
    bar.show(3, "epoch 1/2", "")
    bar.close()
    assert "epoch 1/2" in terminal.getvalue()


def test_opening_again_closes_the_first(monkeypatch):
    on_terminal(monkeypatch)
    bar = TerminalBar()
    bar.open(4, "epoch")
    first = bar._bar
    bar.open(4, "epoch")
    assert first.disable  # closed
    bar.close()


def test_log_lines_go_above_at_their_level(monkeypatch):
    terminal = on_terminal(monkeypatch)
    logger = logging.getLogger("tomobundles.test_terminal_bar")
    logger.setLevel(logging.DEBUG)
    logger.addHandler(handler := logging.StreamHandler(terminal))
    handler.setLevel(logging.INFO)
    handler.setFormatter(logging.Formatter("<%(message)s>"))
    try:
        bar = TerminalBar()
        bar.open(4, "epoch")
        logger.info("above")
        logger.debug("below the level")
        bar.close()
        assert "\r<above>\n" in terminal.getvalue()  # the bar's line is cleared first
        assert "below the level" not in terminal.getvalue()
        assert logger.handlers == [handler]
    finally:
        logger.removeHandler(handler)
