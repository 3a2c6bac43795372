"""Instances of the notebook's own lists, dicts and sets: content, attributes, identity, change."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

import pytest

from cumulus_jupyter import values
from cumulus_jupyter.protocol.errors import InvalidArgument

SOURCE = """
class Bag(dict):
    def __init__(self, label):
        self.label = label

    def __setitem__(self, key, value):
        raise RuntimeError("not by this door")


class Stack(list):
    limit = 3


class Tags(set):
    pass
"""


@pytest.fixture
def notebook(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    main = ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", main)
    exec(compile(SOURCE, "<Cell In[1]>", "exec"), vars(main))
    return vars(main)


class Known:
    """Sends no source: the classes are known on the other side."""

    def find(self, obj: object) -> values.Definition | None:
        name = getattr(obj, "__name__", "")
        return values.Definition(name, SOURCE, "<Cell In[1]>", 1, (), ()) if name in SOURCE else None


def there(notebook: dict[str, Any], roots: dict[str, object]) -> values.Decoded:
    sent = values.encode(roots, values.EncodeOptions(definitions=Known()))
    assert not sent.refused
    return values.decode(sent.graph, sent.blobs, allow_pickle=False, namespace=notebook)


def bag(notebook: dict[str, Any]) -> Any:
    made = notebook["Bag"]("mine")
    dict.update(made, {"a": [1], ("t", 2): None})
    return made


def test_content_and_attributes_cross_without_running_its_methods(notebook: dict[str, Any]) -> None:
    decoded = there(notebook, {"b": bag(notebook)})
    assert dict(decoded.values["b"]) == {"a": [1], ("t", 2): None}
    assert decoded.values["b"].label == "mine"


def test_lists_and_sets_too_and_what_holds_itself(notebook: dict[str, Any]) -> None:
    stack, tags = notebook["Stack"]([1, 2]), notebook["Tags"]({"x", "y"})
    stack.append(stack)
    decoded = there(notebook, {"s": stack, "t": tags})
    assert decoded.values["s"][:2] == [1, 2] and decoded.values["s"][2] is decoded.values["s"]
    assert decoded.values["t"] == {"x", "y"} and type(decoded.values["t"]).__name__ == "Tags"


def test_a_change_over_there_is_made_in_place_here(notebook: dict[str, Any]) -> None:
    mine, stack = bag(notebook), notebook["Stack"]([1])
    sent = values.encode({"b": mine, "s": stack}, values.EncodeOptions(definitions=Known()))
    decoded = values.decode(sent.graph, sent.blobs, allow_pickle=False, namespace=notebook)
    decoded.values["b"]["a"].append(2)
    decoded.values["b"].label = "theirs"
    decoded.values["s"].append(2)
    back = values.encode_changes(decoded, decoded.values, values.EncodeOptions(definitions=Known()))
    assert not back.refused
    values.apply_changes(
        back.graph, back.blobs, sent.originals, allow_pickle=False, namespace=notebook, known_source=SOURCE
    )
    assert mine["a"] == [1, 2] and mine.label == "theirs" and stack == [1, 2]


def test_content_of_another_kind_is_refused(notebook: dict[str, Any]) -> None:
    sent = values.encode({"s": notebook["Stack"]([1])}, values.EncodeOptions(definitions=Known()))
    for node in sent.graph["nodes"]:
        if node["t"] == "inst":
            node["j"] = node["i"]
    with pytest.raises(InvalidArgument):
        values.decode(sent.graph, sent.blobs, allow_pickle=False, namespace=notebook)
