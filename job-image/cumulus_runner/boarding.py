"""``__main__`` of the zip in which the runner travels: looks at the Python that it finds itself in.

It must parse on any Python 3 and on 2.7, so that one that is too old can say so. Where the image has this
very runner installed and compiled, that one is run.
"""

import os
import sys
import zipimport

OLDEST = (3, 9)
#: Where our own images keep the runner.
INSTALLED = "/opt/cumulus/runner"
#: In the zip and in that folder: tells one version of the runner from another.
FINGERPRINT = "FINGERPRINT"
#: Exit status where Python is too old.
TOO_OLD = 78

if __name__ == "__main__":
    if sys.version_info[:2] < OLDEST:
        versions = (sys.version_info[0], sys.version_info[1], OLDEST[0], OLDEST[1])
        sys.stderr.write("cumulus: this image has Python %d.%d; jobs need %d.%d or newer\n" % versions)  # noqa: UP031
        sys.exit(TOO_OLD)
    home = sys.argv[0]
    try:
        with open(os.path.join(INSTALLED, FINGERPRINT), "rb") as file:
            if file.read().strip() == zipimport.zipimporter(home).get_data(FINGERPRINT).strip():
                sys.path[:] = [INSTALLED] + [path for path in sys.path if path != home]
    except (OSError, ImportError):
        pass  # Another image than ours, or no zip.
    from cumulus_runner.__main__ import main

    sys.exit(main())
