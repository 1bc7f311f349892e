# SPDX-License-Identifier: Apache-2.0
"""What every room needs: errors that read well, files that are whole, runs that start right."""

from .distributed import (
    end_process_group,
    gather_in_order,
    gather_json,
    in_data_order,
    local_device,
    rank0_first,
    start_process_group,
)
from .errors import InputError
from .files import atomic_path
from .host import run_bundle
from .locks import one_process
from .memory import keep_freed_memory
from .run import find_input_error, report_errors, start_run

__all__ = [
    "InputError",
    "atomic_path",
    "end_process_group",
    "find_input_error",
    "gather_in_order",
    "gather_json",
    "in_data_order",
    "keep_freed_memory",
    "local_device",
    "one_process",
    "rank0_first",
    "report_errors",
    "run_bundle",
    "start_process_group",
    "start_run",
]
