"""torch tensors and parameters, laid out as in safetensors: a JSON description, and raw bytes.

A storage is a node of its own, so that tensors which share memory share it again; a tensor is a view
of its storage.
"""

from __future__ import annotations

import ctypes
import sys
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional

import torch as _torch

from .buffers import buffers_equal
from .containers import Kind

if TYPE_CHECKING:
    from .decoder import Decoder
    from .encoder import Encoder

torch: Any = _torch
#: Types of numbers that travel, by torch's name.
_DTYPES = {
    name: getattr(torch, name)
    for name in (
        "float64", "float32", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8", "bool",
        "uint16", "uint32", "uint64", "complex64", "complex128", "float8_e4m3fn", "float8_e5m2",
    )
    if hasattr(torch, name)
}  # fmt: skip
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}


def encode(encoder: Encoder, obj: Any) -> Optional[Dict[str, Any]]:
    """The node of a tensor, a storage, a dtype, a device or a size; ``None`` for all else."""
    if type(obj) in (torch.Tensor, torch.nn.Parameter):
        return _tensor(encoder, obj)
    if type(obj) is torch.UntypedStorage:
        return {"t": "storage", "device": str(obj.device), "b": encoder.blob(_bytes(obj))}
    if type(obj) is torch.Generator and obj.device.type == "cpu":
        return {"t": "dice", "b": encoder.blob(_bytes(obj.get_state().untyped_storage()))}
    if type(obj) is torch.Size:
        return {"t": "torch", "size": list(obj)}
    if type(obj) is torch.dtype:
        return {"t": "torch", "dtype": _NAMES[obj]} if obj in _NAMES else None
    return {"t": "torch", "device": str(obj)} if type(obj) is torch.device else None


def _tensor(encoder: Encoder, obj: Any) -> Optional[Dict[str, Any]]:
    if obj.layout is not torch.strided or obj.dtype not in _NAMES or obj.is_quantized:
        return None
    if sys.byteorder == "big" or obj.device.type == "meta" or obj.is_neg() or obj.is_conj():
        return None
    view = obj.detach()
    if view.untyped_storage().nbytes() > 2 * view.numel() * view.element_size() + 4096:
        view = view.clone()  # a small part of something large travels alone
    node = {
        "t": "tensor",
        "d": _NAMES[obj.dtype],
        "shape": list(view.shape),
        "stride": list(view.stride()),
        "offset": view.storage_offset(),
        "v": [encoder.slot(view.untyped_storage())],
        "param": type(obj) is torch.nn.Parameter,
        "grad": bool(obj.requires_grad and obj.is_leaf),
    }
    if node["grad"] and obj.grad is not None:
        node["g"] = encoder.slot(obj.grad)
    return node


def _bytes(storage: Any) -> Any:
    if storage.nbytes() == 0:
        return b""
    storage = storage.cpu()
    flat = torch.empty(0, dtype=torch.uint8).set_(storage)
    try:
        return memoryview(flat.numpy())
    except RuntimeError:  # numpy is not there
        return ctypes.string_at(storage.data_ptr(), storage.nbytes())


class _Storage(Kind):
    def make(self, reader: Decoder, node: Mapping[str, Any]) -> Any:
        blob = reader.private_blob(node["b"])
        if blob.nbytes == 0:
            return torch.UntypedStorage(0)
        storage = torch.frombuffer(blob, dtype=torch.uint8).untyped_storage()
        device = str(node["device"])
        if device.startswith("cuda") and torch.cuda.is_available():
            return storage.cuda()
        return storage

    def renew(self, reader: Decoder, node: Mapping[str, Any], old: Any) -> bool:
        if type(old) is not torch.UntypedStorage or old.nbytes() != reader.blob(node["b"]).nbytes:
            return False
        old.copy_(self.make(reader, node))
        return True


class _Tensor(Kind):
    def hard(self, reader: Decoder, node: Mapping[str, Any]) -> List[Any]:
        return [node["v"]]

    def soft(self, reader: Decoder, node: Mapping[str, Any]) -> List[Any]:
        return [[node.get("g")]]

    def make(self, reader: Decoder, node: Mapping[str, Any]) -> Any:
        storage = reader.run(node["v"])[0]
        dtype, shape, stride, offset = _DTYPES[node["d"]], node["shape"], node["stride"], node["offset"]
        numbers = [offset, *shape, *stride]
        if len(shape) != len(stride) or not all(type(n) is int and n >= 0 for n in numbers):
            raise ValueError("a tensor of no shape")
        if type(storage) is not torch.UntypedStorage:
            raise ValueError("a tensor without a storage")
        # Checked here, since torch would let the storage grow.
        end = offset + (0 if 0 in shape else 1 + sum((n - 1) * step for n, step in zip(shape, stride)))
        if end * dtype.itemsize > storage.nbytes():
            raise ValueError(f"a tensor of shape {shape} in {storage.nbytes()} bytes")
        tensor = torch.empty(0, dtype=dtype, device=storage.device).set_(storage, offset, shape, stride)
        if node["param"]:
            return torch.nn.Parameter(tensor, requires_grad=bool(node["grad"]))
        return tensor.requires_grad_(bool(node["grad"]))

    def fill(self, reader: Decoder, node: Mapping[str, Any], obj: Any) -> None:
        if "g" in node:
            obj.grad = reader.value(node["g"])
        elif obj.requires_grad and obj.is_leaf:
            obj.grad = None

    def renew(self, reader: Decoder, node: Mapping[str, Any], old: Any) -> bool:
        kind = torch.nn.Parameter if node["param"] else torch.Tensor
        if type(old) is not kind or _NAMES.get(old.dtype) != node["d"] or not old.is_leaf:
            return False
        new = self.make(reader, node)
        if new.device == old.device and not (new.shape == old.shape and _travelled_alone(reader, node, old)):
            old.data = new.detach()
        elif new.shape == old.shape:
            old.data.copy_(new.detach())
        else:
            return False
        old.requires_grad_(bool(node["grad"]))
        return True


def _travelled_alone(reader: Decoder, node: Mapping[str, Any], old: Any) -> bool:
    """Whether it is a part of a larger storage still, of which only this part was sent."""
    storage = reader.value(node["v"][0])
    own: bool = storage.data_ptr() == old.untyped_storage().data_ptr()
    return node["v"][0][0] < reader.base and not own


class _Plain(Kind):
    def make(self, reader: Decoder, node: Mapping[str, Any]) -> Any:
        if "size" in node:
            return torch.Size(node["size"])
        return _DTYPES[node["dtype"]] if "dtype" in node else torch.device(node["device"])


class _Generator(Kind):
    def make(self, reader: Decoder, node: Mapping[str, Any]) -> Any:
        made = torch.Generator()
        made.set_state(torch.frombuffer(reader.private_blob(node["b"]), dtype=torch.uint8))
        return made

    def renew(self, reader: Decoder, node: Mapping[str, Any], old: Any) -> bool:
        if type(old) is not torch.Generator or old.device.type != "cpu":
            return False
        old.set_state(self.make(reader, node).get_state())
        return True


def unchanged(node: Mapping[str, Any], blob: Any, obj: Any) -> bool:
    """Whether a storage still holds the bytes it was decoded from."""
    return buffers_equal(_bytes(obj), blob)


KINDS: Dict[str, Kind] = {
    "storage": _Storage(), "tensor": _Tensor(), "torch": _Plain(), "dice": _Generator()
}  # fmt: skip
