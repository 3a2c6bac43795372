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

    def test_a_small_part_changes_what_it_is_part_of() -> None:
        large = torch.zeros(10_000)
        part = large[:3]
        job = Job({"part": part})
        job["part"].add_(1)
        assert job.back()["part"] is part
        assert large[:4].tolist() == [1, 1, 1, 0]

    def test_an_optimizer_and_its_schedule_go_on_with_their_parameters() -> None:
        def step(names: Any) -> None:
            names["net"](torch.ones(2)).sum().backward()
            names["optimizer"].step()
            names["schedule"].step()

        net = nn.Linear(2, 1)
        optimizer = torch.optim.Adam(net.parameters(), lr=0.5)
        names = {
            "net": net,
            "optimizer": optimizer,
            "schedule": torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5),
        }
        step(names)
        for _ in range(2):
            job = Job(names)
            assert job["schedule"].optimizer is job["optimizer"]
            assert job["optimizer"].param_groups[0]["params"][0] is job["net"].weight
            step(job.namespace)
            job.back()
        assert optimizer.param_groups[0]["lr"] == 0.5**4
        assert [state["step"].item() for state in optimizer.state.values()] == [3, 3]
        assert optimizer.param_groups[0]["params"][0] is net.weight

    def test_a_generator_goes_on() -> None:
        generator, twin = torch.Generator().manual_seed(3), torch.Generator().manual_seed(3)
        job = Job({"generator": generator})
        assert torch.rand(1, generator=job["generator"]) == torch.rand(1, generator=twin)
        assert job.back()["generator"] is generator
        assert torch.rand(1, generator=generator) == torch.rand(1, generator=twin)
