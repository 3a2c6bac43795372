"""A folder of code run by hand: ``main()`` of ``main.py``, its result as one line of JSON."""

from __future__ import annotations

import contextlib
import json
import os
import runpy
import sys
import traceback
from typing import Any, Dict


def run_folder(folder: str) -> int:
    """Run it; what it prints goes to stderr, the last line of stdout is the result.

    Returns the exit status: 0 for success.
    """
    folder = os.path.abspath(folder)
    sys.path.insert(0, folder)
    answer: Dict[str, Any]
    try:
        with contextlib.redirect_stdout(sys.stderr):
            namespace = runpy.run_path(os.path.join(folder, "main.py"), run_name="cumulus_main")
            if "main" not in namespace:
                raise LookupError(f"{folder}/main.py has no function main()")
            result = namespace["main"]()
        answer = {"status": "success", "result": result}
        line = json.dumps(answer)
    except BaseException as error:
        traceback.print_exc()
        message = f"{type(error).__name__}: {error}"
        line = json.dumps({"status": "failed", "error": message})
        answer = {"status": "failed"}
    print(line, flush=True)
    return 0 if answer["status"] == "success" else 1
