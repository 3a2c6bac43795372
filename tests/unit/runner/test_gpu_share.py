"""Frameworks keep to the job's share of its GPU, by their own means, if and when they are imported."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from cumulus_runner import gpu_share, limits

FRAMEWORKS = Path(__file__).parents[2] / "fakes" / "frameworks"
HALF = {"gpu_fraction": 0.5, "gpu_memory_mib": 40_000}
NAMES = ("torch", "jax", "jaxlib", "tensorflow")
JAX, JAX_NEWER = "XLA_PYTHON_CLIENT_MEM_FRACTION", "XLA_CLIENT_MEM_FRACTION"


@pytest.fixture(autouse=True)
def apart(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Stand-ins for the frameworks, and nothing left of them."""
    before, hooks = dict(os.environ), sys.meta_path[:]
    monkeypatch.syspath_prepend(str(FRAMEWORKS))
    for name in (JAX, JAX_NEWER):
        os.environ.pop(name, None)
    yield
    sys.meta_path[:] = hooks
    os.environ.clear()
    os.environ.update(before)
    for name in [name for name in sys.modules if name.partition(".")[0] in NAMES]:
        del sys.modules[name]


def framework(name: str) -> ModuleType:
    return importlib.import_module(name)


def test_torch_is_told_when_cuda_begins_and_not_before() -> None:
    gpu_share.hold(HALF)
    cuda = framework("torch").cuda
    assert not cuda.is_initialized() and not cuda.fractions
    cuda.init()
    assert cuda.fractions == {0: 0.5}


def test_torch_that_was_there_already_counts_too() -> None:
    cuda = framework("torch").cuda
    gpu_share.hold(HALF)
    assert not cuda.is_initialized()
    cuda.init()
    assert cuda.fractions == {0: 0.5}


def test_the_users_own_fraction_stands() -> None:
    gpu_share.hold(HALF)
    cuda = framework("torch").cuda
    cuda.set_per_process_memory_fraction(0.25)
    assert cuda.fractions == {0: 0.25}


def test_jax_is_told_by_its_environment() -> None:
    gpu_share.hold({"gpu_fraction": 0.3})
    assert framework("jax").devices() == "0.3"


@pytest.mark.parametrize("word", [JAX, JAX_NEWER])
def test_what_the_user_has_told_jax_stands(word: str) -> None:
    os.environ[word] = "0.7"
    gpu_share.hold(HALF)
    assert framework("jax").devices() == "0.7"


@pytest.mark.parametrize("late", [True, False])
def test_what_the_cell_tells_jax_stands(late: bool) -> None:
    """In the newer word, beside which jax takes no older one."""
    gpu_share.hold(HALF)
    if not late:
        os.environ[JAX_NEWER] = "0.7"
    jax = framework("jax")
    os.environ[JAX_NEWER] = "0.7"
    assert jax.devices() == "0.7"


def test_tensorflow_is_told_before_its_first_operation() -> None:
    gpu_share.hold(HALF)
    tensorflow = framework("tensorflow")
    assert not tensorflow.config.divided
    assert tensorflow.constant(1) == 1
    (parts,) = tensorflow.config.divided.values()
    assert [part.memory_limit for part in parts] == [40_000]


def test_how_the_user_divides_a_device_stands() -> None:
    gpu_share.hold(HALF)
    tensorflow = framework("tensorflow")
    own = [tensorflow.config.LogicalDeviceConfiguration(100)]
    tensorflow.config.set_logical_device_configuration("/physical_device:GPU:0", own)
    tensorflow.constant(1)
    assert list(tensorflow.config.divided.values()) == [own]


@pytest.mark.parametrize("place", [{}, {"gpu_fraction": 0.0}, {"gpu_fraction": 1.0}])
def test_whole_devices_cost_nothing(place: dict[str, float]) -> None:
    before = sys.meta_path[:], dict(os.environ)
    gpu_share.hold(place)
    assert (sys.meta_path, dict(os.environ)) == before


@pytest.mark.parametrize("name", ["torch", "jax", "tensorflow"])
def test_a_framework_that_has_changed_is_left_alone(name: str, tmp_path: Path) -> None:
    (tmp_path / f"{name}.py").write_text("x = 1")
    sys.path.insert(0, str(tmp_path))
    gpu_share.hold(HALF)
    assert framework(name).x == 1


def test_a_limit_that_torch_refuses_stops_no_job() -> None:
    gpu_share.hold(HALF)
    cuda = framework("torch").cuda
    cuda.device_count = lambda: 1 / 0
    cuda.init()
    assert cuda.is_initialized()


def test_a_module_looks_as_if_nobody_had_watched() -> None:
    gpu_share.hold(HALF)
    torch = framework("torch")
    assert type(torch.__loader__) is type(torch.__spec__.loader) is type(limits.__spec__.loader)
    assert "Stands in for torch" in inspect.getsource(torch)
    found = importlib.util.find_spec("jax")
    assert found is not None and found.loader.get_filename("jax").endswith("__init__.py")  # type: ignore


def test_what_is_not_there_is_not_found() -> None:
    gpu_share.hold(HALF)
    sys.path.remove(str(FRAMEWORKS))
    assert importlib.util.find_spec("torch") is None
    with pytest.raises(ImportError):
        framework("torch")


def test_an_import_that_fails_may_be_tried_again(tmp_path: Path) -> None:
    sys.path.insert(0, str(tmp_path))
    (tmp_path / "torch.py").write_text("raise ImportError('no libcudart')")
    gpu_share.hold(HALF)
    with pytest.raises(ImportError, match="libcudart"):
        framework("torch")
    sys.path.remove(str(tmp_path))
    cuda = framework("torch").cuda
    cuda.init()
    assert cuda.fractions == {0: 0.5}


def test_finders_of_an_older_kind_are_passed_over() -> None:
    gpu_share.hold(HALF)
    sys.meta_path.insert(1, SimpleNamespace(find_module=None))  # type: ignore[arg-type]
    hook = sys.meta_path[0]
    assert hook.find_spec("torch") is not None


def test_a_job_cannot_ask_for_other_devices() -> None:
    place = {"env": {"CUDA_VISIBLE_DEVICES": "GPU-a", "CUDA_MPS_PIPE_DIRECTORY": "/p", "LANG": "C"}}
    asked = {"CUDA_VISIBLE_DEVICES": "0", "CUDA_MPS_PIPE_DIRECTORY": "/q", "LANG": "D", "CUDA_MPS_X": "1"}
    os.environ.update(place["env"])
    limits.add_variables(asked, place)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "GPU-a" and os.environ["CUDA_MPS_PIPE_DIRECTORY"] == "/p"
    assert os.environ["LANG"] == "D" and os.environ["CUDA_MPS_X"] == "1"
