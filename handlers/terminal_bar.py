# SPDX-License-Identifier: Apache-2.0
"""A tqdm bar that exists on a terminal only, with log lines going above it."""

from __future__ import annotations

import logging
import sys
from contextlib import ExitStack

from tqdm import tqdm
from tqdm.contrib.logging import logging_redirect_tqdm


class TerminalBar:
    """One bar on the error output; where that is no terminal, nothing is shown."""

    def __init__(self) -> None:
        self._bar: tqdm | None = None
        self._redirection = ExitStack()

    @property
    def is_open(self) -> bool:
        """Whether a bar is shown."""
        return self._bar is not None

    def open(self, total: int | None, description: str, *, done: int = 0, leave: bool | None = True) -> None:
        """Show the bar, if there is a terminal.

        Args:
            total: steps in all; 0 or None when unknown.
            description: text before the bar.
            done: steps done before.
            leave: whether the bar stays when closed; None: only if no other bar is above it.
        """
        self.close()
        if not sys.stderr.isatty():
            return
        _redirect_logging(self._redirection)
        bar_format = "{desc} {percentage:3.0f}%|{bar}| {elapsed}{postfix}"
        self._bar = tqdm(
            total=total or None,
            initial=done,
            desc=description,
            leave=leave,
            dynamic_ncols=True,
            mininterval=0,  # whoever shows steps knows how often
            bar_format=bar_format,
        )

    def show(self, done: int, description: str, postfix: str) -> None:
        """Move the bar.

        Args:
            done: steps done in all.
            description: text before the bar.
            postfix: text after it.
        """
        self._bar.set_description_str(description, refresh=False)
        self._bar.set_postfix_str(postfix, refresh=False)
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        """End the bar and give the loggers their terminal back."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None
        self._redirection.close()


def _redirect_logging(stack: ExitStack) -> None:
    """Let loggers that write to the terminal write above the bar, at the level they had."""
    levels = {}
    for logger in [logging.getLogger(), *logging.root.manager.loggerDict.values()]:
        handlers = [h for h in getattr(logger, "handlers", ()) if _is_console(h)]
        if handlers:
            levels[logger] = handlers[0].level
    stack.enter_context(logging_redirect_tqdm(list(levels)))
    for logger, level in levels.items():
        logger.handlers[-1].setLevel(level)


def _is_console(handler: logging.Handler) -> bool:
    return isinstance(handler, logging.StreamHandler) and handler.stream in {sys.stdout, sys.stderr}
