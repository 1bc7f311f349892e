# SPDX-License-Identifier: Apache-2.0
"""Note what a process opens for writing, makes, renames and removes; Python imports this file as it starts.

One file a process, <rank>-<pid>, in the folder AUDIT_DIR, with an absolute path a line.
"""

import os
import sys

_PATHS = {"open": [0], "os.rename": [0, 1], "os.mkdir": [0], "os.remove": [0]}
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT


def _note(event, arguments):
    if event not in _PATHS or (event == "open" and not arguments[2] & _WRITING):
        return
    for index in _PATHS[event]:
        if isinstance(arguments[index], (str, os.PathLike)):
            os.write(_file, (os.path.abspath(arguments[index]) + "\n").encode())


if "RANK" in os.environ:
    _name = f"{os.environ['RANK']}-{os.getpid()}"
    _file = os.open(os.path.join(os.environ["AUDIT_DIR"], _name), os.O_CREAT | os.O_WRONLY)
    sys.addaudithook(_note)
