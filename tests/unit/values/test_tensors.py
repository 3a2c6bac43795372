"""Tensors, where torch is installed: it is no requirement of the project."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from cumulus_jupyter.values import encode
from tests.unit.values.support import Job, there

if find_spec("torch"):
    import pytest
    import torch
    from torch import nn

    @pytest.mark.parametrize("dtype", ["float32", "bfloat16", "int64", "bool", "complex64", "float8_e4m3fn"])
    def test_types(dtype: str) -> None:
        value = torch.arange(6).to(getattr(torch, dtype)).reshape(2, 3)
        found = there(value)
        assert found.dtype == value.dtype
        assert found.shape == value.shape
        assert torch.equal(found.view(torch.uint8), value.view(torch.uint8)) or dtype == "bool"

    def test_views_share_their_storage_and_change_in_place() -> None:
        base = torch.zeros(3, 4)
        job = Job({"base": base, "row": base[1], "turned": base.T})
        job["base"][1, 0] = 5
        assert job["row"][0] == job["turned"][0, 1] == 5
        row = base[1]
        assert job.back()["base"] is base
        assert row[0] == 5

    def test_parameters_gradients_and_plain_things() -> None:
        parameter = nn.Parameter(torch.ones(2))
        parameter.grad = torch.full((2,), 3.0)
        found = there(parameter)
        assert isinstance(found, nn.Parameter)
        assert found.grad.tolist() == [3, 3]
        for plain in (
            torch.float16,
            torch.device("cpu"),
            torch.Size([1, 2]),
            torch.empty(0, 3),
            torch.tensor(3),
        ):
            assert repr(there({"x": plain})["x"]) == repr(plain)

    def test_models_and_state_dicts() -> None:
        model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.BatchNorm1d(4))
        job = Job({"model": model, "state": model.state_dict()})
        there_model: Any = job["model"]
        assert job["state"]["0.weight"].data_ptr() == there_model[0].weight.data_ptr()
        weight = model[0].weight
        with torch.no_grad():
            there_model[0].weight.add_(1)
        assert job.back()["model"] is model
        assert model[0].weight is weight
        assert torch.equal(weight, there_model[0].weight)

    def test_a_small_part_of_something_large_travels_alone() -> None:
        blobs = encode({"x": torch.zeros(10**6)[:3]}).blobs
        assert [memoryview(blob).nbytes for blob in blobs.values()] == [12]
