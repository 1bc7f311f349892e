# SPDX-License-Identifier: Apache-2.0
"""What every room needs: errors that read well, files that are whole, runs that start right."""

from .errors import InputError
from .files import atomic_path
from .memory import keep_freed_memory
from .run import find_input_error, report_errors, start_run

__all__ = ["InputError", "atomic_path", "find_input_error", "keep_freed_memory", "report_errors", "start_run"]
