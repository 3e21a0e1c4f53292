"""Data dictionaries: which fields a FIX message has, and whether one keeps to them.

`fix42.toml` and `fix44.toml` describe the messages that pyorch reads and writes; they state their source and
notation. `Dictionary.check` answers with the first fault and its SessionRejectReason (373), judged in this
order: order of header, body and trailer; message type; required fields; then field by field, header first,
whether it has a value, the right format, a value of its list, a tag of the version and of the message, and
its repeating group.
"""

from __future__ import annotations

import functools
import itertools
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum
from importlib.resources import files

from pyorch.trading.fix.message import DATA_OF_LENGTH, Field, Message, timestamp_ns


class Reason(IntEnum):
    """SessionRejectReason (373); FIX 4.2 knows those up to 11."""

    INVALID_TAG = 0
    REQUIRED_MISSING = 1
    NOT_OF_MESSAGE = 2
    NO_VALUE = 4
    BAD_VALUE = 5
    BAD_FORMAT = 6
    COMP_ID = 9
    SENDING_TIME = 10
    MESSAGE_TYPE = 11
    REPEATED = 13
    OUT_OF_ORDER = 14
    GROUP_ORDER = 15
    GROUP_COUNT = 16

    @property
    def text(self) -> bytes:
        """In words, as the standard has them."""
        return _TEXTS[self]


_TEXTS = {
    Reason.INVALID_TAG: b"Invalid tag number",
    Reason.REQUIRED_MISSING: b"Required tag missing",
    Reason.NOT_OF_MESSAGE: b"Tag not defined for this message type",
    Reason.NO_VALUE: b"Tag specified without a value",
    Reason.BAD_VALUE: b"Value is incorrect (out of range) for this tag",
    Reason.BAD_FORMAT: b"Incorrect data format for value",
    Reason.COMP_ID: b"CompID problem",
    Reason.SENDING_TIME: b"SendingTime accuracy problem",
    Reason.MESSAGE_TYPE: b"Invalid MsgType",
    Reason.REPEATED: b"Tag appears more than once",
    Reason.OUT_OF_ORDER: b"Tag specified out of required order",
    Reason.GROUP_ORDER: b"Repeating group fields out of order",
    Reason.GROUP_COUNT: b"Incorrect NumInGroup count for repeating group",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with a message, and which tag it is about."""

    reason: Reason
    tag: int | None = None


@dataclass(frozen=True, slots=True)
class Layout:
    """Fields of a message or of an entry of a group.

    Attributes:
        first: the tag that begins an entry.
        required: tags that must be there; groups: count tag → layout of its entries; tags: all of them.
    """

    first: int
    tags: frozenset[int]
    required: frozenset[int]
    groups: dict[int, Layout]


_DIGITS = re.compile(rb"\d{1,18}")
_DATE = r"\d{4}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
_FORMATS = {
    "INT": re.compile(rb"-?\d{1,18}"),
    "SEQNUM": _DIGITS,
    "LENGTH": _DIGITS,
    "NUMINGROUP": _DIGITS,
    "BOOLEAN": re.compile(rb"[YN]"),
    "CHAR": re.compile(rb"[^\x01]"),
    "FLOAT": re.compile(rb"-?(?:\d+\.?\d*|\.\d+)"),
    "LOCALMKTDATE": re.compile(_DATE.encode()),
    "MONTHYEAR": re.compile(rb"\d{4}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01]|w[1-5])?"),
    "DAYOFMONTH": re.compile(rb"0?[1-9]|[12]\d|3[01]"),
    "CURRENCY": re.compile(rb"[A-Z0-9]{3,5}"),
}
_TOKEN = re.compile(r"@(\w+)|(\d+)(!?)(\()?|(\))")


def _layout(spec: str, components: dict[str, str]) -> Layout:
    """Read a line of a dictionary."""
    tokens = _TOKEN.finditer(_expand(spec, components))

    def read() -> Layout:
        tags: list[int] = []
        required: set[int] = set()
        groups: dict[int, Layout] = {}
        for token in tokens:
            if token[5]:
                break
            tag = int(token[2])
            tags.append(tag)
            if token[3]:
                required.add(tag)
            if token[4]:
                groups[tag] = read()
        return Layout(tags[0] if tags else 0, frozenset(tags), frozenset(required), groups)

    return read()


def _expand(spec: str, components: dict[str, str]) -> str:
    while "@" in spec:
        spec = re.sub(r"@(\w+)", lambda match: components[match[1]], spec)
    return spec


class Dictionary:
    """One version's messages; `dictionary` loads each once."""

    def __init__(self, text: str) -> None:
        source = tomllib.loads(text)
        components = source["components"]
        self.begin_string: bytes = source["begin_string"].encode()
        self.header = _layout(components["Header"], components)
        self.trailer = _layout(components["Trailer"], components)
        self._header_tags = self.header.tags.union(*(g.tags for g in self.header.groups.values()))
        self.messages = {
            kind: _layout(spec, components) for kind, spec in source["messages"].items()
        }
        self.other_types = frozenset(source["other_types"].split())
        unused = {int(tag) for tag in source["unused_tags"].split()}
        self._tags = frozenset(range(1, source["last_tag"] + 1)) - unused
        self._types = {
            int(tag): name for name, tags in source["types"].items() for tag in tags.split()
        }
        self._values = {
            int(tag): frozenset(value.encode() for value in values.split())
            for tag, values in source["values"].items()
        }
        self._data_tags = frozenset(DATA_OF_LENGTH.values())

    def extended(self, messages: dict[str, str]) -> Dictionary:
        """With fields of a dialect: message type → fields beside the standard's, in the same notation."""
        other = object.__new__(Dictionary)
        other.__dict__ |= self.__dict__
        other.messages = dict(self.messages)
        other._tags = self._tags
        for kind, spec in messages.items():
            more = _layout(spec, {})
            base = self.messages.get(kind, Layout(0, frozenset(), frozenset(), {}))
            other.messages[kind] = Layout(
                base.first,
                base.tags | more.tags,
                base.required | more.required,
                base.groups | more.groups,
            )
            other._tags |= more.tags
        return other

    def check(self, message: Message) -> Fault | None:
        """The first fault of a message; None: it keeps to the dictionary."""
        kind = message.kind
        fault = self._check_order(message)
        if fault is not None:
            return fault
        layout = self.messages.get(kind)
        if layout is None and kind not in self.other_types:
            return Fault(Reason.MESSAGE_TYPE)
        present = {tag for tag, _ in message.fields}
        required = self.header.required | (layout.required if layout else frozenset())
        # In the order of the dictionary's sets nothing is promised, so the smallest tag is named.
        for tag in sorted(required - present):
            return Fault(Reason.REQUIRED_MISSING, tag)
        header = [one for one in message.fields if one[0] in self._header_tags]
        trailer = [one for one in message.fields if one[0] in self.trailer.tags]
        body = [one for one in message.fields if not self.is_outer(one[0])]
        faults = [
            self._check_fields(header, self.header, False),
            self._check_fields(trailer, self.trailer, False),
            self._check_fields(body, layout, True) if layout else self._check_values(body),
        ]
        return next((fault for fault in faults if fault is not None), None)

    def is_outer(self, tag: int) -> bool:
        """Whether a field belongs to header or trailer."""
        return tag in self._header_tags or tag in self.trailer.tags

    def units(self, body: list[Field], kind: str) -> list[list[Field]]:
        """A body's fields, each group together with its count, by rising tag."""
        layout = self.messages.get(kind)
        found: list[list[Field]] = []
        at = 0
        while at < len(body):
            group = layout.groups.get(body[at][0]) if layout else None
            size = 1 + (_group_size(body[at + 1 :], group) if group else 0)
            found.append(body[at : at + size])
            at += size
        return sorted(found, key=lambda unit: unit[0][0])

    def _check_order(self, message: Message) -> Fault | None:
        """Header, body, trailer."""
        stage = 0
        for tag, _ in message.fields:
            mine = 0 if tag in self._header_tags else 2 if tag in self.trailer.tags else 1
            if mine < stage:
                return Fault(Reason.OUT_OF_ORDER, tag)
            stage = mine
        return None

    def _check_values(self, fields: list[Field]) -> Fault | None:
        return next((fault for one in fields if (fault := self._check_value(one))), None)

    def _check_value(self, one: Field) -> Fault | None:
        """A field by itself."""
        tag, value = one
        if not value:
            return Fault(Reason.NO_VALUE, tag)
        kind = self._types.get(tag, "STRING")
        pattern = _FORMATS.get(kind)
        if pattern is not None and not pattern.fullmatch(value):
            return Fault(Reason.BAD_FORMAT, tag)
        if kind == "UTCTIMESTAMP" and timestamp_ns(value) is None:
            return Fault(Reason.BAD_FORMAT, tag)
        allowed = self._values.get(tag)
        if allowed is not None:
            parts = value.split(b" ") if kind == "MULTIPLE" else [value]
            if any(part not in allowed for part in parts):
                return Fault(Reason.BAD_VALUE, tag)
        return Fault(Reason.INVALID_TAG, tag) if tag not in self._tags else None

    def _check_fields(self, fields: list[Field], layout: Layout, strict: bool) -> Fault | None:
        """The fields of a message (``strict``: no others than the layout's), with their groups."""
        seen: set[int] = set()
        at = 0
        while at < len(fields):
            tag, value = fields[at]
            if tag in seen:
                return Fault(Reason.REPEATED, tag)
            seen.add(tag)
            fault = self._check_value(fields[at])
            if fault is None and strict and tag not in layout.tags:
                fault = Fault(Reason.NOT_OF_MESSAGE, tag)
            if fault is not None:
                return fault
            at += 1
            group = layout.groups.get(tag)
            if group is not None:
                size, fault = self._check_group(fields[at:], group, tag, int(value))
                if fault is not None:
                    return fault
                at += size
        return None

    def _check_group(
        self, fields: list[Field], layout: Layout, tag: int, count: int
    ) -> tuple[int, Fault | None]:
        """How many fields belong to a group, and its first fault."""
        size = _group_size(fields, layout)
        if count and fields and fields[0][0] in layout.tags and fields[0][0] != layout.first:
            return size, Fault(Reason.GROUP_ORDER, fields[0][0])
        entries = list(_entries(fields[:size], layout))
        if len(entries) != count:
            return size, Fault(Reason.GROUP_COUNT, tag)
        for entry in entries:
            fault = self._check_fields(entry, layout, True)
            if fault is not None:
                return size, fault
            missing = layout.required - {one for one, _ in entry}
            if missing:
                return size, Fault(Reason.REQUIRED_MISSING, min(missing))
        return size, None


def _group_size(fields: list[Field], layout: Layout) -> int:
    """How many fields from the start on belong to entries of a group."""
    at = 0
    while at < len(fields) and fields[at][0] in layout.tags:
        inner = layout.groups.get(fields[at][0])
        at += 1
        if inner is not None:
            at += _group_size(fields[at:], inner)
    return at


def _entries(fields: list[Field], layout: Layout) -> Iterator[list[Field]]:
    """Each begins with the group's first tag."""
    starts = [at for at, one in enumerate(fields) if one[0] == layout.first]
    for start, end in itertools.pairwise([*starts, len(fields)]):
        yield fields[start:end]


def group_entries(message: Message, dictionary: Dictionary, *path: int) -> list[list[Field]]:
    """Entries of a group of a checked message; ``path`` leads through the groups that it lies in."""
    layout = dictionary.messages[message.kind]
    entries = [list(message.fields)]
    for tag in path:
        inner = layout.groups[tag]
        found: list[list[Field]] = []
        for entry in entries:
            at = next((k for k, one in enumerate(entry) if one[0] == tag), None)
            if at is not None:
                rest = entry[at + 1 :]
                found += _entries(rest[: _group_size(rest, inner)], inner)
        layout, entries = inner, found
    return entries


@functools.cache
def dictionary(begin_string: bytes) -> Dictionary:
    """The dictionary of a version.

    Raises:
        KeyError: it is neither FIX.4.2 nor FIX.4.4.
    """
    name = {b"FIX.4.2": "fix42.toml", b"FIX.4.4": "fix44.toml"}[begin_string]
    return Dictionary(files("pyorch.trading.fix").joinpath(name).read_text())
