"""What a user sets once: ``c.Cumulus.gpu = 0.5`` in a file, ``%cumulus config gpu=0.5`` in a notebook."""

from __future__ import annotations

import os
from typing import Any

from traitlets import Bool, Dict, Enum, Int, List, Unicode, Union
from traitlets import Float as FloatTrait
from traitlets.config import Configurable

from .protocol.errors import InvalidArgument
from .protocol.resources import DURATION_DEFAULT_S, memory_mib

VIEWS = ("auto", "plain", "live")
_AMOUNT = [FloatTrait(), Int(), Unicode()]


class Cumulus(Configurable):
    """Defaults of ``%%cumulus``; an option on the magic's line wins over them."""

    gpu: Any = Union(
        _AMOUNT, default_value=None, allow_none=True, help="GPU amount: 0.1-0.9, or whole devices 1-8."
    ).tag(config=True)
    cpu: Any = Union(_AMOUNT, default_value=None, allow_none=True, help="CPU cores.").tag(config=True)
    memory: Any = Union(
        [Int(), Unicode()], default_value=None, allow_none=True, help="Memory limit, such as 4G."
    ).tag(config=True)
    duration: Any = Int(DURATION_DEFAULT_S, help="Longest run time in seconds, 60-86400.").tag(config=True)
    requirements: Any = List(Unicode(), help="Distributions every job needs.").tag(config=True)
    labels: Any = Dict(help="Labels of every job.").tag(config=True)
    env: Any = Dict(help="Environment variables of every job.").tag(config=True)
    image: Any = Unicode("", help="Container image.").tag(config=True)
    executor: Any = Unicode("", help="Executor to use.").tag(config=True)
    retries: Any = Int(0, help="How often a lost job is started again.").tag(config=True)
    pickle: Any = Bool(
        False, help="Bring values without a safe encoding back pickled; loading them runs the worker's code."
    ).tag(config=True)
    quiet: Any = Bool(False, help="Show no output of jobs.").tag(config=True)
    value_limit: Any = Union(
        [Int(), Unicode()], default_value="64M", help="Values larger than this stay behind, such as 64M."
    ).tag(config=True)
    output_lines: Any = Int(1000, help="Lines a job prints into its cell; more are in its log. 0: all.").tag(
        config=True
    )
    output_kib: Any = Int(256, help="KiB a job prints into its cell; more is in its log. 0: all.").tag(
        config=True
    )
    view: Any = Enum(VIEWS, "auto", help="plain: only the job's own output. live: its state too.").tag(
        config=True
    )
    url: Any = Unicode("", help="The relay's address; found where empty.").tag(config=True)
    token: Any = Unicode("", help="The relay's token.").tag(config=True)
    autostart: Any = Bool(True, help="Start a relay for this user where there is none.").tag(config=True)

    def job_defaults(self) -> dict[str, Any]:
        """The options of a job, as ``client.options.checked`` takes them."""
        return {
            "gpu": self.gpu,
            "cpu": self.cpu,
            "memory": self.memory,
            "duration": self.duration,
            "requirements": list(self.requirements),
            "labels": dict(self.labels),
            "env": dict(self.env),
            "image": self.image,
            "executor": self.executor,
            "retries": self.retries,
            "pickle": self.pickle,
        }

    @property
    def value_limit_bytes(self) -> int:
        """Values larger than this stay behind."""
        return memory_mib(self.value_limit) * 2**20

    @property
    def effective_view(self) -> str:
        """``auto``, ``plain`` or ``live``; the environment's word counts where none is set here."""
        word = str(self.view)
        if word == "auto":
            word = os.environ.get("CUMULUS_VIEW", "auto")
        return word if word in VIEWS else "auto"

    def assign(self, key: str, text: str) -> None:
        """Set one of them from what a user wrote. Raises ``InvalidArgument``, and changes nothing then."""
        key = key.replace("-", "_")
        key = {"require": "requirements", "label": "labels"}.get(key, key)
        if key not in self.class_trait_names(config=True):
            from difflib import get_close_matches

            close = get_close_matches(key, self.names(), 1)
            hint = f"Did you mean {close[0]}?" if close else f"There are: {', '.join(self.names())}."
            raise InvalidArgument(f"There is no setting {key}", next=hint)
        setattr(self, key, self._parse(key, text))

    @classmethod
    def names(cls) -> list[str]:
        """The settings there are."""
        return [*sorted(cls.class_trait_names(config=True)), "simulated_gpus"]

    def _parse(self, key: str, text: str) -> Any:
        # Not above: the extension is loaded in every notebook, and few set anything.
        from .client.options import checked, is_none, pairs, requirement_list, yes_or_no

        if key in ("pickle", "quiet", "autostart"):
            return yes_or_no(text, key)
        if key == "requirements":
            return requirement_list(text.replace(";", "\n").split())
        if key in ("labels", "env"):
            return pairs([item for item in text.split(",") if item], key)
        if key in ("gpu", "cpu", "memory"):
            checked({key: text})
            return None if is_none(text) or not text else text
        if key in ("duration", "retries"):
            options = checked({key: text})
            return options.duration_s if key == "duration" else options.retries
        if key == "value_limit":
            memory_mib(text)
        if key in ("output_lines", "output_kib"):
            if not text.isdigit():
                raise InvalidArgument(f"Invalid {key}: {text}. Must be a whole number", next="0 is no limit.")
            return int(text)
        if key == "view" and text not in VIEWS:
            raise InvalidArgument(
                f"Invalid view: {text}. Must be one of {', '.join(VIEWS)}", next="Write view=auto."
            )
        return text


def settings_of(shell: Any) -> Cumulus:
    """A shell's own settings; made on first use, known to the shell's ``%config`` from then on."""
    for known in shell.configurables:
        if isinstance(known, Cumulus):
            return known
    made = Cumulus(parent=shell)
    shell.configurables.append(made)
    return made
