"""Images keep mode, pixels and palette; figures come as they look."""

from __future__ import annotations

import base64
from typing import Any

import matplotlib
import pytest
from PIL import Image

from cumulus_jupyter.values import Picture
from tests.unit.values.support import Job, there


@pytest.mark.parametrize(
    "mode", ["1", "L", "P", "RGB", "RGBA", "CMYK", "YCbCr", "LAB", "HSV", "I", "F", "LA"]
)
def test_images(mode: str) -> None:
    image: Any = Image.new(mode, (5, 3))
    image.putpixel((1, 2), image.getpixel((1, 2)))
    image.info["dpi"] = (72, 72)
    found = there(image)
    assert (found.mode, found.size, found.info) == (mode, (5, 3), {"dpi": (72, 72)})
    assert found.tobytes() == image.tobytes()


def test_a_palette_stays() -> None:
    image = Image.new("P", (2, 2), 1)
    image.putpalette([10, 20, 30, 40, 50, 60])
    assert there(image).convert("RGB").getpixel((0, 0)) == (40, 50, 60)


def test_an_image_changes_in_place() -> None:
    image = Image.new("RGB", (2, 2))
    job = Job({"image": image})
    job["image"].putpixel((0, 0), (9, 8, 7))
    assert job.back()["image"] is image
    assert image.getpixel((0, 0)) == (9, 8, 7)


def test_figures_are_pictures_unless_they_may_be_pickled() -> None:
    matplotlib.use("agg")
    from matplotlib.figure import Figure

    figure = Figure()
    figure.subplots().plot([1, 2])
    picture = there(figure)
    assert isinstance(picture, Picture)
    data, _ = picture._repr_mimebundle_()
    assert base64.b64decode(data["image/png"]).startswith(b"\x89PNG")
    assert repr(picture) == repr(figure)
    assert isinstance(Job({"f": figure}, allow_pickle=True)["f"], Figure)
