"""PIL images and matplotlib figures."""

from __future__ import annotations

import io
from base64 import b64encode
from importlib import import_module
from typing import TYPE_CHECKING, Any, Dict, List, Mapping, Optional

from .buffers import buffers_equal, flat
from .containers import Kind

if TYPE_CHECKING:
    from .decoder import Decoder
    from .encoder import Encoder

#: Modes whose raw bytes PIL reads back as they are.
_MODES = frozenset(
    {"1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I", "F", "LA", "PA", "RGBX", "RGBa", "La",
     "I;16", "I;16L", "I;16B"}
)  # fmt: skip


def encode(encoder: Encoder, obj: Any) -> Optional[Dict[str, Any]]:
    """The node of an image or a figure; ``None`` for all else."""
    if type(obj).__module__.startswith("PIL."):
        image = import_module("PIL.Image")
        return _image(encoder, obj) if isinstance(obj, image.Image) else None
    if type(obj).__module__ == "matplotlib.figure" and hasattr(obj, "savefig"):
        # Where it may stay a figure, it does.
        return None if encoder.options.allow_pickle else _picture(encoder, obj)
    return None


def _image(encoder: Encoder, obj: Any) -> Optional[Dict[str, Any]]:
    if obj.mode not in _MODES:
        return None
    node = {"t": "image", "mode": obj.mode, "size": list(obj.size), "b": encoder.blob(obj.tobytes())}
    palette = obj.getpalette(obj.palette.mode) if obj.palette is not None else None
    if palette is not None:
        node["palette"] = [obj.palette.mode, palette]
    info = {
        key: value for key, value in obj.info.items() if type(value) in (str, int, float, bytes, tuple, bool)
    }
    node["v"] = [encoder.slot(info)] if info else []
    return node


class _Image(Kind):
    def hard(self, reader: Decoder, node: Mapping[str, Any]) -> List[Any]:
        return [node["v"]]

    def make(self, reader: Decoder, node: Mapping[str, Any]) -> Any:
        image: Any = import_module("PIL.Image")
        mode, (width, height) = node["mode"], node["size"]
        if mode not in _MODES or min(width, height) < 0:
            raise ValueError(f"not an image: {mode} {width} x {height}")
        blob = reader.blob(node["b"])
        # Counted before the image is made, which may be huge: a row of pixels begins on a byte of its own.
        eight = len(image.new(mode, (8, 1)).tobytes())
        if (width * eight + 7) // 8 * height != blob.nbytes:
            raise ValueError(f"an image of {width} x {height} with {blob.nbytes} bytes")
        made = image.new(mode, (width, height))
        if width * height:
            made.frombytes(bytes(blob))
        if "palette" in node:
            made.putpalette(node["palette"][1], node["palette"][0])
        for info in reader.run(node["v"]):
            made.info = dict(info)
        return made

    def renew(self, reader: Decoder, node: Mapping[str, Any], old: Any) -> bool:
        if getattr(old, "mode", None) != node["mode"] or list(old.size) != node["size"] or "palette" in node:
            return False
        new = self.make(reader, node)
        old.paste(new)
        return type(old) is type(new)


def unchanged(node: Mapping[str, Any], blob: Any, obj: Any) -> bool:
    """Whether an image still holds the pixels it was decoded from."""
    palette = obj.getpalette(obj.palette.mode) if obj.palette is not None else None
    return (
        obj.mode == node["mode"]
        and list(obj.size) == node["size"]
        and palette == node.get("palette", [None, None])[1]
        and buffers_equal(obj.tobytes(), flat(blob))
    )


def _picture(encoder: Encoder, figure: Any) -> Dict[str, Any]:
    file = io.BytesIO()
    figure.savefig(file, format="png", bbox_inches="tight")
    data = {"image/png": b64encode(file.getvalue()).decode(), "text/plain": repr(figure)}
    return {"t": "picture", "k": encoder.run(list(data)), "v": encoder.run(list(data.values()))}


KINDS: Dict[str, Kind] = {"image": _Image()}
