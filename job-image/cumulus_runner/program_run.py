"""The child's work: take the program, run it, send back what it left."""

from __future__ import annotations

import json
import os
import sys
from typing import TYPE_CHECKING, Any, Callable, Dict, List, NoReturn, Optional, Tuple

from . import limits, native
from .after_import import after_import
from .child import CLAIMED, GO, PLACE, REPLY, Commands
from .compiling import filename_of, remember_lines
from .leavings import Leavings, send_leavings
from .outcomes import no_result
from .streams import Console
from .wire import program_from_wire

if TYPE_CHECKING:
    from cumulus_jupyter.protocol.program import Program

    from .plain_shell import PlainShell


class _Run:
    """One program on its way through the child."""

    def __init__(
        self,
        commands: Commands,
        shell: PlainShell,
        console: Console,
        program: Program,
        job: Dict[str, Any],
    ) -> None:
        self.commands, self.shell, self.console = commands, shell, console
        self.program, self.job = program, job

    def fetch_remote(self, job_id: str, name: str) -> object:
        """A value that an earlier job left behind; the supervisor fetches it."""
        from cumulus_jupyter import values

        self.console.note({"note": "fetch", "job_id": job_id, "name": name})
        answer = self.commands.expect(REPLY)
        if not answer["path"]:
            raise LookupError(f"the value {name!r} of job {job_id} can't be fetched: {answer['reason']}")
        graph, blobs = values.read_container(answer["path"])
        decoded = values.decode(graph, blobs, allow_pickle=True, namespace=self.shell.namespace)
        return decoded.values[name]


def run(commands: Commands, console: Console, shell_for: Callable[[Program], PlainShell]) -> int:
    """Wait for the job's place, program and start; run it. Returns the exit status."""
    place = commands.expect(PLACE)
    limits.enter(place)
    kind, claimed_json = commands.receive()
    if kind != CLAIMED:
        return 70
    claimed = json.loads(claimed_json)
    limits.add_variables(claimed.get("env") or {}, place)
    if place.get("gpu_fraction"):
        from . import gpu_share

        gpu_share.hold(place)
    _watch_bars(console)
    program = program_from_wire(claimed["program"])
    shell = shell_for(program)
    shell.configure(program)
    job = commands.expect(GO)
    state = _Run(commands, shell, console, program, job)
    status = "failed"
    try:
        status = _run_program(state)
    except BaseException as error:
        # Nothing of the user's gets here, except an interrupt between two steps.
        console.event(_described(error, shell))
    native.flush()
    console.note({"note": "end", "status": status})
    return 0


def _watch_bars(console: Console) -> None:
    """Should the job import tqdm: tell of its bars, which are of text here."""

    def follow() -> None:
        from .tqdm_bars import follow

        follow(console)

    def without_widgets() -> None:
        from .tqdm_bars import without_widgets

        without_widgets()

    after_import({"tqdm.std": follow, "tqdm.notebook": without_widgets})


def _run_program(state: _Run) -> str:
    namespace = state.shell.namespace
    leavings = Leavings(namespace, state.program)
    failure: Optional[BaseException] = None
    own_pid = os.getpid()
    try:
        _enter_folders(state)
        _run_imports(state)
        leavings.decode(_blobs(state), state.fetch_remote)
        has_result, value = (
            _call(state, leavings) if state.program.kind == "call" else state.shell.run(state.program)
        )
        leavings.set_result(has_result, value)
    except BaseException as error:
        failure = error
    if os.getpid() != own_pid:
        _end_of_fork(failure, state.console)
    try:
        state.shell.finish()
    except BaseException as error:
        failure = failure or error
    status = "completed"
    if failure is not None and not _is_clean_exit(failure):
        state.console.event(_described(failure, state.shell))
        status = _status_of(failure)
    native.flush()
    try:
        send_leavings(leavings, state.console, state.shell, state.job["scratch"])
    except BaseException as error:
        if status == "completed":
            status = _status_of(error)
            state.console.event(_described(error, state.shell))
        state.console.event(no_result())
    return status


def _end_of_fork(failure: Optional[BaseException], console: Console) -> NoReturn:
    """End a process that the cell has forked and not ended, as Python would: the job goes on without it."""
    status, said = 0, ""
    if isinstance(failure, SystemExit):
        plain = failure.code is None or isinstance(failure.code, int)
        status, said = (int(failure.code or 0), "") if plain else (1, f"{failure}\n")
    elif failure is not None:
        import traceback

        from .plain_shell import user_traceback

        lines = traceback.format_exception(type(failure), failure, user_traceback(failure))
        status, said = 1, "".join(lines)
    try:
        console.stderr.write(said)
        console.stdout.flush()
        console.stderr.flush()
        native.flush()
    finally:
        os._exit(status & 0xFF)


def _described(error: BaseException, shell: PlainShell) -> Dict[str, Any]:
    from .failures import describe_error

    return describe_error(error, shell)


def _is_clean_exit(error: BaseException) -> bool:
    return isinstance(error, SystemExit) and error.code in (None, 0, False)


def _status_of(error: BaseException) -> str:
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if isinstance(error, SystemExit):
        return f"exit {error.code if isinstance(error.code, int) else 1}"
    return "failed"


def _enter_folders(state: _Run) -> None:
    """Make the job's folder and its requirements importable."""
    environment = state.job.get("environment")
    if environment:
        import site

        known = set(sys.path)
        site.addsitedir(environment)
        added = [path for path in sys.path if path not in known]
        sys.path[:] = added + [path for path in sys.path if path in known]
        _put_first("PATH", os.path.join(environment, "bin"))
        _put_first("PYTHONPATH", environment)
    if state.job.get("bundle"):
        from . import bundle

        bundle.extract_files(state.job["bundle"], os.getcwd())
    sys.path.insert(0, os.getcwd())


def _put_first(variable: str, path: str) -> None:
    rest = os.environ.get(variable)
    os.environ[variable] = os.pathsep.join([path, rest]) if rest else path


def _blobs(state: _Run) -> Dict[str, Any]:
    blobs: Dict[str, Any] = {}
    if state.program.inline_blobs:
        from base64 import b64decode

        blobs = {name: b64decode(text) for name, text in state.program.inline_blobs.items()}
    if state.job.get("bundle"):
        from . import bundle

        blobs.update(bundle.open_blobs(state.job["bundle"]))
    return blobs


def _run_imports(state: _Run) -> None:
    imports: List[str] = state.program.imports
    if imports:
        filename = filename_of("Cell imports")
        source = "\n".join(imports)
        remember_lines(source, filename)
        exec(compile(source, filename, "exec", dont_inherit=True), state.shell.namespace)


def _call(state: _Run, leavings: Leavings) -> Tuple[bool, Any]:
    from cumulus_jupyter.protocol.program import ARGS, FUNCTION, KWARGS

    from .plain_shell import run_awaitable

    inputs = leavings.inputs
    value = inputs[FUNCTION](*inputs.get(ARGS, ()), **inputs.get(KWARGS, {}))
    if hasattr(value, "__await__"):
        value = run_awaitable(value)
    return True, value
