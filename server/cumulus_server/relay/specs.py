"""Reads a submission: strict decoding, and every check that needs no knowledge of the workers."""

from __future__ import annotations

import re
import time
from dataclasses import MISSING, fields, replace
from secrets import randbelow
from typing import Any

import msgspec
from packaging.requirements import InvalidRequirement, Requirement

from cumulus_jupyter.protocol.errors import InvalidArgument
from cumulus_jupyter.protocol.jobs import ORIGIN_LIMITS, JobSpec, Origin
from cumulus_jupyter.protocol.resources import (
    cpu_cores,
    duration_s,
    gpu_memory_need_mib,
    gpu_tenths,
    priority,
)

MAX_SPEC_BYTES = 64 << 20
MAX_RETRIES = 10

_IMAGE = "image:"
_NEED = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]{0,199}\Z")
_LABEL_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]{0,62}\Z")
_ENV_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")
_PYTHON = re.compile(r"(\d+\.\d+)?\Z")
_REQUIREMENT_URL = re.compile(r"(git|hg|svn|bzr)\+|https?://")
_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"


def _submission_type() -> type[Any]:
    """JobSpec as a struct whose program stays undecoded bytes, and whose unknown fields are refused."""
    columns: list[Any] = []
    for field in fields(JobSpec):
        if field.name == "program":
            columns.append((field.name, msgspec.Raw))
        elif field.default_factory is not MISSING:
            columns.append(
                (field.name, _hints[field.name], msgspec.field(default_factory=field.default_factory))
            )
        else:
            columns.append((field.name, _hints[field.name], field.default))
    return msgspec.defstruct("JobSpec", columns, forbid_unknown_fields=True)


def _type_hints() -> dict[str, Any]:
    from typing import get_type_hints

    return get_type_hints(JobSpec)


_hints = _type_hints()
_decoder = msgspec.json.Decoder(_submission_type())
_encode = msgspec.json.Encoder().encode


def decode_submission(body: bytes) -> tuple[JobSpec, bytes]:
    """The checked specification without its program, and the program's JSON.

    Raises ``InvalidArgument`` naming the field that is wrong.
    """
    try:
        raw = _decoder.decode(body)
    except msgspec.ValidationError as error:
        raise InvalidArgument(
            f"Invalid specification: {error}", next="See /cumulus/api/v1/openapi.json for the fields."
        ) from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise InvalidArgument(f"The specification is not valid JSON: {error}") from None
    program = bytes(raw.program).strip()
    if not program.startswith(b"{"):
        raise InvalidArgument("Invalid specification: Expected `object` - at `$.program`")
    values = {name: getattr(raw, name) for name in _hints if name != "program"}
    # msgspec leaves defaults out of what it decodes, and then out of what it encodes.
    values["resources"], values["origin"] = replace(raw.resources), replace(raw.origin)
    values["image"], values["needs"] = _image_and_needs(raw.image, raw.needs)
    spec = JobSpec(program={}, **values)
    check_spec(spec)
    return spec, program


def _image_and_needs(image: str, needs: list[str]) -> tuple[str, list[str]]:
    """The image and the other needs, where ``image:NAME`` among the needs names the image."""
    named = {need.removeprefix(_IMAGE) for need in needs if need.startswith(_IMAGE)} | ({image} - {""})
    if len(named) > 1:
        raise InvalidArgument(
            f"A job has one image, and this asks for {' and '.join(sorted(named))}", next="Name one of them."
        )
    if "" in named:
        raise InvalidArgument("image: needs the name of an image", next="Write --label image:NAME.")
    rest = dict.fromkeys(need for need in needs if not need.startswith(_IMAGE))
    return next(iter(named), ""), list(rest)


def encode_spec(spec: JobSpec) -> bytes:
    """The JSON of a specification as the store keeps it."""
    return _encode(spec)


def check_spec(spec: JobSpec) -> None:
    """Raise ``InvalidArgument`` for what no relay would accept."""
    resources = spec.resources
    if resources.gpu is not None:
        gpu_tenths(resources.gpu)
    duration_s(resources.duration_s)
    if resources.cpu is not None:
        cpu_cores(resources.cpu)
    if resources.memory_mib is not None and not 1 <= resources.memory_mib < 1 << 31:
        raise InvalidArgument(
            f"Invalid memory amount: {resources.memory_mib} MiB. Must be at least 1",
            next="Write a number with a unit: --memory 4G.",
        )
    if not 0 <= spec.retries <= MAX_RETRIES:
        raise InvalidArgument(f"Invalid number of retries: {spec.retries}. Must be 0-{MAX_RETRIES}")
    priority(spec.priority)
    if not _PYTHON.match(spec.python):
        raise InvalidArgument(f"Invalid Python version: {spec.python!r}. Must be such as 3.11")
    _check_text("name", spec.name, 200)
    _check_text("executor", spec.executor, 100)
    _check_origin(spec.origin)
    _check_image(spec.image)
    _check_needs(spec.needs)
    _check_labels(spec.labels)
    _check_env(spec.env)
    _check_requirements(spec.requirements)


def _check_text(what: str, text: str, limit: int) -> None:
    if len(text) > limit or not text.isprintable():
        raise InvalidArgument(f"Invalid {what}: at most {limit} printable characters are allowed")


def _check_origin(origin: Origin) -> None:
    for part, limit in ORIGIN_LIMITS.items():
        _check_text(f"{part} of the origin", getattr(origin, part), limit)


def _check_image(image: str) -> None:
    _check_text("image", image, 500)
    if image.startswith("-") or any(character.isspace() for character in image):
        raise InvalidArgument(f"Invalid image: {image!r}", next="Write it as for docker: NAME or NAME:TAG.")


def _check_needs(needs: list[str]) -> None:
    if len(needs) > 64:
        raise InvalidArgument(f"Too many capabilities: {len(needs)}. At most 64 can be asked for")
    for need in needs:
        if not _NEED.match(need):
            raise InvalidArgument(
                f"Invalid capability: {need!r}",
                next="It is a word such as docker; a label of the job is written KEY=VALUE.",
            )
        gpu_memory_need_mib(need)


def _check_labels(labels: dict[str, str]) -> None:
    if len(labels) > 64:
        raise InvalidArgument(f"Too many labels: {len(labels)}. At most 64 are allowed")
    for key, value in labels.items():
        if not _LABEL_KEY.match(key):
            raise InvalidArgument(
                f"Invalid label: {key!r}",
                next="A label's key has up to 63 letters, digits, dots, slashes, dashes or underscores.",
            )
        _check_text(f"value of label {key}", value, 256)


def _check_env(env: dict[str, str]) -> None:
    if sum(len(name) + len(value) for name, value in env.items()) > 128 << 10:
        raise InvalidArgument("The environment is over 128 KiB", next="Pass large data as a value.")
    for name, value in env.items():
        if not _ENV_NAME.match(name) or "\0" in value:
            raise InvalidArgument(
                f"Invalid environment variable: {name!r}", next="Write --env NAME=VALUE with a plain name."
            )
        if name.startswith("CUMULUS_"):
            raise InvalidArgument(
                f"The environment variable {name} is Cumulus's own", next="Choose another name."
            )


def _check_requirements(requirements: list[str]) -> None:
    if len(requirements) > 500:
        raise InvalidArgument(f"Too many requirements: {len(requirements)}. At most 500 are allowed")
    for line in requirements:
        _check_text("requirement", line, 1000)
        if _REQUIREMENT_URL.match(line):
            continue
        try:
            Requirement(line)
        except InvalidRequirement as error:
            raise InvalidArgument(
                f"Invalid requirement: {line!r} ({str(error).splitlines()[0]})",
                next="Write a name with an optional version, such as numpy>=2.",
            ) from None


def new_job_id() -> str:
    """A new id: short enough to type, and sorting by time."""
    number = ((time.time_ns() // 1_000_000) << 30) | randbelow(1 << 30)
    digits = []
    for _ in range(15):
        digits.append(_ALPHABET[number & 31])
        number >>= 5
    return "j" + "".join(reversed(digits))
