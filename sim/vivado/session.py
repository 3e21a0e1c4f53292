"""A session of Vivado's stand-in: projects, files, runs, and the constraints that go with a core."""

from __future__ import annotations

import json
from pathlib import Path

from sim.vivado import core_commands, design_commands
from sim.vivado.catalogue import PARTS
from sim.vivado.handoff import handoff_text
from sim.vivado.packager import COMPONENT
from sim.vivado.signatures import COMMANDS, Call, parse
from sim.vivado.state import Project, Run, State
from sim.vivado.synthesis import synthesised_ip
from sim.vivado.tclsh import CommandError, join_list, run_script, split_list
from sim.vivado.xdc import check_constraints

FILE_PROPERTIES = {"file_type", "used_in", "processing_order", "synth_checkpoint_mode"}
FILE_TYPES = ("SystemVerilog", "Verilog", "Memory Initialization Files", "XDC")
RECORD = "stand_in.json"


def _create_project(state: State, call: Call) -> str:
    if state.project is not None:
        state.closed.append(state.project)
    (part,) = call.need("-part")
    if part not in PARTS:
        raise CommandError(f"there is no part {part}; known are {', '.join(PARTS)}")
    folder = state.path(call.words[1])
    if folder.exists() and "-force" not in call.flags:
        raise CommandError(f"{folder} exists; -force replaces it")
    folder.mkdir(parents=True, exist_ok=True)
    state.project = Project(call.words[0], folder, part)
    for name in ("synth_1", "impl_1"):
        state.project.runs[name] = Run(name, folder / f"{call.words[0]}.runs" / name)
    return f"project:{call.words[0]}"


def _current_project(state: State, call: Call) -> str:
    return f"project:{state.need_project().name}"


def _close_project(state: State, call: Call) -> str:
    state.closed.append(state.need_project())
    state.project = None
    return ""


def _add_files(state: State, call: Call) -> str:
    project = state.need_project()
    for text in (path for words in call.words for path in split_list(words)):
        path = state.path(text)
        if not path.is_file():
            raise CommandError(f"add_files: there is no file {path}")
        project.files[path] = {}
        if call.options.get("-fileset") == "constrs_1":
            project.constraints.append(path)
    return ""


def _get_files(state: State, call: Call) -> str:
    found = [
        path
        for path in state.need_project().files
        if any(str(path) == word or str(path).endswith("/" + word) for word in call.words)
    ]
    if not found:
        raise CommandError(f"get_files: the project has no file {' '.join(call.words)}")
    return join_list(str(path) for path in found)


def _current_fileset(state: State, call: Call) -> str:
    return f"fileset:{state.need_project().name}"


def _update_compile_order(state: State, call: Call) -> str:
    state.need_project()
    return ""


def _update_ip_catalog(state: State, call: Call) -> str:
    project = state.need_project()
    project.catalogue = {
        core.vlnv: core.as_ip()
        for folder, core in state.cores.items()
        if core.saved and any(folder.is_relative_to(place) for place in project.repositories)
    }
    for place in project.repositories:
        for component in place.rglob(COMPONENT):
            ip = synthesised_ip(component)
            if ip is not None:
                project.catalogue[ip.vlnv] = ip
    return ""


def _set_property(state: State, call: Call) -> str:
    name, value, tokens = call.words
    for token in split_list(tokens) or [""]:
        kind = token.partition(":")[0]
        if name.startswith("CONFIG."):
            design_commands.configure(state, token, name.removeprefix("CONFIG."), value)
        elif kind in core_commands.PROPERTIES:
            core_commands.set_value(state, token, name, value)
        elif kind == "project" and name == "ip_repo_paths":
            paths = [state.path(path) for path in split_list(value)]
            missing = [path for path in paths if not path.is_dir()]
            if missing:
                raise CommandError(f"ip_repo_paths: there is no folder {missing[0]}")
            state.need_project().repositories = paths
        elif kind == "fileset" and name == "top":
            state.need_project().top = value
        elif Path(token).is_absolute() and name in FILE_PROPERTIES:
            if name == "file_type" and value not in FILE_TYPES:
                raise CommandError(f"{token}: there is no file type {value}")
            state.need_project().files[Path(token)][name] = value
        else:
            raise CommandError(f"{token or 'nothing'} has no property {name}")
    return ""


def _get_property(state: State, call: Call) -> str:
    name, token = call.words
    kind, _, place = token.partition(":")
    if kind == "map" and name == "NAME":
        return place
    if kind == "path" and name == "SLACK":
        return str(state.slack_ns[place == "min"])
    if kind == "run":
        run = state.need_project().runs[place]
        values = {
            "PROGRESS": "100%" if run.done and run.awaited else "0%",
            "STATUS": "complete" if run.done else "not started",
            "DIRECTORY": str(run.folder),
        }
        if name in values:
            return values[name]
    raise CommandError(f"{token or 'nothing'} has no property {name}")


def _generate_target(state: State, call: Call) -> str:
    project, design = state.need_project(), state.need_design()
    if call.words[0] != "all" or not design.saved:
        raise CommandError(f"generate_target: {design.name} is not saved")
    place = project.folder / f"{project.name}.gen/sources_1/bd/{design.name}"
    (place / "hw_handoff").mkdir(parents=True, exist_ok=True)
    (place / "hw_handoff" / f"{design.name}.hwh").write_text(handoff_text(design))
    design.generated = True
    return ""


def _make_wrapper(state: State, call: Call) -> str:
    project, design = state.need_project(), state.need_design()
    (source,) = call.need("-files")
    if "-top" not in call.flags or Path(source).stem != design.name:
        raise CommandError(f"make_wrapper: -top and the file of {design.name} are needed")
    place = (
        project.folder
        / f"{project.name}.gen/sources_1/bd/{design.name}/hdl/{design.name}_wrapper.v"
    )
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(f"module {design.name}_wrapper;\nendmodule\n")
    return str(place)


def _launch_runs(state: State, call: Call) -> str:
    project = state.need_project()
    for name in call.words:
        if name not in project.runs:
            raise CommandError(f"there is no run {name}; there are {', '.join(project.runs)}")
        run = project.runs[name]
        if not any(path.stem == project.top for path in project.files):
            raise CommandError(
                f"{name}: no file of the project has the top {project.top or '(none)'}"
            )
        if name == "synth_1" and not state.need_design().generated:
            raise CommandError(
                f"{name}: the targets of {state.need_design().name} are not generated"
            )
        if name == "impl_1" and not project.runs["synth_1"].awaited:
            raise CommandError("impl_1: synth_1 was not waited for")
        run.done = True
        run.folder.mkdir(parents=True, exist_ok=True)
        if call.options.get("-to_step") == "write_bitstream":
            (run.folder / f"{project.top}.bit").write_bytes(_bitstream(project.top, project.part))
    return ""


def _bitstream(name: str, part: str) -> bytes:
    """A file in the layout of a `.bit`, without a bitstream in it."""
    texts = (name, part, "2000/01/01", "00:00:00")
    fields = b"".join(
        bytes([97 + k]) + (len(text) + 1).to_bytes(2, "big") + text.encode() + b"\0"
        for k, text in enumerate(texts)
    )
    body = b"stand-in, no bitstream\n"
    begin = bytes.fromhex("00090ff00ff00ff00ff0000001")
    return begin + fields + b"e" + len(body).to_bytes(4, "big") + body


def _wait_on_runs(state: State, call: Call) -> str:
    for name in call.words:
        run = state.need_project().runs[name]
        if not run.done:
            raise CommandError(f"wait_on_runs: {name} was not launched")
        run.awaited = True
    return ""


def _get_runs(state: State, call: Call) -> str:
    if call.words[0] not in state.need_project().runs:
        raise CommandError(f"there is no run {call.words[0]}")
    return f"run:{call.words[0]}"


def _open_run(state: State, call: Call) -> str:
    if not state.need_project().runs[call.words[0]].awaited:
        raise CommandError(f"open_run: {call.words[0]} is not done")
    state.opened = call.words[0]
    return call.words[0]


def _report(state: State, call: Call) -> str:
    (target,) = call.need("-file")
    if not state.opened:
        raise CommandError(f"{call.name}: no run is open")
    state.path(target).write_text("stand-in\n")
    return ""


def _get_timing_paths(state: State, call: Call) -> str:
    (kind,) = call.need("-delay_type")
    if not state.opened or kind not in ("max", "min"):
        raise CommandError(f"get_timing_paths: no open run, or no delay type {kind}")
    return f"path:{kind}"


HANDLERS = {
    **design_commands.COMMANDS,
    **core_commands.COMMANDS,
    **{
        function.__name__[1:]: function
        for function in (
            _create_project,
            _current_project,
            _close_project,
            _add_files,
            _get_files,
            _current_fileset,
            _update_compile_order,
            _update_ip_catalog,
            _set_property,
            _get_property,
            _generate_target,
            _make_wrapper,
            _launch_runs,
            _wait_on_runs,
            _get_runs,
            _open_run,
            _get_timing_paths,
        )
    },
    "report_timing_summary": _report,
    "report_utilization": _report,
    "report_cdc": _report,
}
assert set(HANDLERS) == set(COMMANDS)


def run_vivado(script: Path, slack_ns: tuple[float, float] = (0.5, 0.1)) -> State:
    """Run a script, then judge the constraints of the cores that it packaged.

    Raises:
        CommandError: a command was refused, or a constraint names what is not there.
    """
    state = State(script.parent.resolve(), slack_ns=slack_ns)

    def answer(words: list[str], place: Path) -> str:
        state.base = place
        state.log.append(words)
        call = parse(words)
        return HANDLERS[call.name](state, call)

    run_script(script.resolve(), COMMANDS, answer)
    for project in [*state.closed, *([state.project] if state.project else [])]:
        for path in project.constraints:
            core = next(c for c in state.cores.values() if (c.folder / "src" / path.name).is_file())
            check_constraints(path, [s.name for s in core.block.signals if s.kind == "clock"])
    return state


def record(state: State) -> str:
    """The commands of a session as JSON."""
    return json.dumps(state.log, indent=1)
