"""What the images are: small, not root, told apart by labels, and with everything that cells import."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from cumulus_server.executors.luggage import fingerprint
from tests.integration.image.containers import inspect, run

ROOT = Path(__file__).resolve().parents[3]
SLIM_LIMIT_BYTES = 350e6
FULL_LIMIT_BYTES = 900e6
OWN_MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"
#: Where a list names the distribution, not what is imported.
MODULES = {"ipython": "IPython", "pillow": "PIL", "scikit-learn": "sklearn", "uv": "uv"}


@pytest.fixture(params=["job_image", "full_job_image", "other_job_image"])
def image(request: pytest.FixtureRequest) -> Iterator[str]:
    yield request.getfixturevalue(request.param)


def _listed(name: str) -> list[str]:
    lines = (ROOT / "job-image" / f"{name}.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def _pinned() -> dict[str, str]:
    """Versions of constraints.txt for this interpreter's minor."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = [Requirement(line) for line in lines if not line.startswith("#")]
    return {pin.name: str(pin.specifier)[2:] for pin in pins if not pin.marker or pin.marker.evaluate()}


def _distributions(image: str) -> dict[str, str]:
    code = (
        "import json, importlib.metadata as m; "
        "print(json.dumps({found.name: found.version for found in m.distributions()}))"
    )
    found: dict[str, str] = json.loads(run(image, "python3", "-c", code).out)
    return {name.lower().replace("_", "-"): version for name, version in found.items()}


def test_size(job_image: str, other_job_image: str, full_job_image: str) -> None:
    assert inspect(job_image)["Size"] < SLIM_LIMIT_BYTES
    assert inspect(other_job_image)["Size"] < SLIM_LIMIT_BYTES
    assert inspect(full_job_image)["Size"] < FULL_LIMIT_BYTES


def test_a_worker_stores_the_slim_layers_once(job_image: str, full_job_image: str) -> None:
    slim, full = (inspect(image)["RootFS"]["Layers"] for image in (job_image, full_job_image))
    # All but the last one, which is the runner.
    assert full[: len(slim) - 1] == slim[:-1]


def test_labels_say_what_python_and_which_runner_it_has(image: str) -> None:
    labels = inspect(image)["Config"]["Labels"]
    minor = run(image, "python3", "-c", "import sys; print('%d.%d' % sys.version_info[:2])").out.strip()
    assert labels["io.cumulus.python"] == minor
    assert labels["io.cumulus.runner"] == fingerprint()
    assert run(image, "cat", "/opt/cumulus/runner/FINGERPRINT").out == fingerprint()


def test_the_minors(job_image: str, full_job_image: str, other_job_image: str) -> None:
    minors = [
        inspect(image)["Config"]["Labels"]["io.cumulus.python"]
        for image in (job_image, full_job_image, other_job_image)
    ]
    assert minors[0] == minors[1] == OWN_MINOR != minors[2]


def test_it_is_not_root_and_can_write_nowhere_but_in_tmp(image: str) -> None:
    writable = run(image, "sh", "-c", "id -u; find / -xdev -writable ! -type l 2>/dev/null", options=()).out
    uid, *places = writable.split()
    assert uid == "1000"
    assert [
        place for place in places if not place.startswith(("/tmp", "/proc", "/dev", "/var/tmp", "/run/lock"))
    ] == []


def test_tmp_is_for_every_user(image: str) -> None:
    assert run(image, "stat", "-c", "%a %u", "/tmp", options=()).out == "1777 0\n"


def test_the_runner_is_compiled(image: str) -> None:
    code = (
        "import sys; sys.path[0] = '/opt/cumulus/runner'\n"
        "import cumulus_runner.serve, os\n"
        "files = [(getattr(m, '__file__', None) or '', m) for m in sys.modules.values()]\n"
        "own = [m for file, m in files if file.startswith('/opt/cumulus')]\n"
        "print(len(own) > 10, [m for m in own if not os.path.exists(m.__cached__)])"
    )
    assert run(image, "python3", "-c", code).out == "True []\n"


def test_nothing_of_the_building_machine_is_in_it(image: str) -> None:
    about = inspect(image)
    history = run(
        image, "sh", "-c", "ls -A /build /root; env; cat /etc/pip.conf; pip config list", options=()
    )
    assert "Python" not in history.err
    assert "_proxy" not in history.out.lower()
    assert "pem" not in history.out and "index" not in history.out
    assert not [entry for entry in about["Config"]["Env"] if "PIP" in entry or "CERT" in entry]


def test_slim_has_what_its_list_says_and_full_both(job_image: str, full_job_image: str) -> None:
    slim, full = _distributions(job_image), _distributions(full_job_image)
    assert set(_listed("slim")) <= set(slim)
    assert {*_listed("slim"), *_listed("full")} <= set(full)
    assert not set(_listed("full")) & set(slim)
    pinned = _pinned()
    for name in (*_listed("slim"), *_listed("full")):
        assert full[name] == pinned[name]


def test_everything_in_it_imports(full_job_image: str) -> None:
    modules = [MODULES.get(name, name) for name in (*_listed("slim"), *_listed("full"))]
    more = ["matplotlib.pyplot", "numpy.testing", "pandas.testing", "pyarrow.parquet", "pyarrow.dataset"]
    more += ["scipy.optimize", "scipy.stats", "scipy.sparse.linalg", "sklearn.ensemble", "sklearn.datasets"]
    code = f"import importlib\nfor name in {[*modules, *more]!r}: importlib.import_module(name)\nprint('all')"
    ended = run(full_job_image, "python3", "-W", "error::ImportWarning", "-c", code)
    assert (ended.out, ended.status) == ("all\n", 0), ended.err


def test_the_libraries_work_together(full_job_image: str) -> None:
    code = (
        "import io, numpy as np, pandas as pd, pyarrow as pa\n"
        "from matplotlib import pyplot\n"
        "from sklearn.linear_model import LinearRegression\n"
        "from scipy import linalg\n"
        "from PIL import Image\n"
        "x = np.arange(9.0).reshape(-1, 1); y = 2 * x.ravel() + 1\n"
        "frame = pd.DataFrame({'x': x.ravel(), 'y': y})\n"
        "frame.to_parquet('/tmp/frame.parquet')\n"
        "same = pd.read_parquet('/tmp/frame.parquet').equals(frame)\n"
        "pyplot.plot(x, y); drawn = io.BytesIO(); pyplot.savefig(drawn)\n"
        "print(same, Image.open(drawn).size[0] > 0, round(LinearRegression().fit(x, y).coef_[0], 6))\n"
        "print(linalg.det(np.eye(3)), pa.array([1]).sum())"
    )
    ended = run(full_job_image, "python3", "-c", code)
    assert ended.out == "True True 2.0\n1.0 1\n", ended.err


def test_fonts_are_known_in_a_new_home(full_job_image: str) -> None:
    code = (
        "import glob, os, logging; logging.basicConfig(level=logging.INFO)\n"
        "file, = glob.glob(os.path.expanduser('~/.cache/matplotlib/fontlist-*'))\n"
        "before = os.stat(file).st_mtime_ns\n"
        "import matplotlib.font_manager\n"
        "print(os.stat(file).st_mtime_ns == before)\n"
        "os.makedirs(os.path.expanduser('~/.config/other'))"
    )
    options = ("--read-only", "--volume", "/tmp", "--env", "HOME=/tmp/home", "--user", "4321:4321")
    ended = run(full_job_image, "python3", "-W", "error", "-c", code, options=options)
    assert (ended.out, ended.err) == ("True\n", "")


def test_there_is_an_opencl_loader(image: str) -> None:
    code = "import ctypes; ctypes.CDLL('libOpenCL.so.1').clGetPlatformIDs; print('there')"
    assert run(image, "python3", "-c", code).out == "there\n"
