"""The control registers: one table for the gateware, the host driver and the documentation.

The accelerator's AXI4-Lite port is 32 bits wide and spans 4 KiB. Every register is one word; an array
of registers lies ``stride`` bytes apart. :mod:`hw.gateware.ports.axilite` builds its decoder from the table,
:mod:`hw.host.driver` takes every address and bit position from it, :func:`markdown` renders it.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

ADDRESS_BITS = 12
"""Width of the byte address."""

MAGIC = 0x53504332
"""What ID reads: ``SPC2`` in ASCII."""

HARDWARE_VERSION = 5
"""What VERSION reads. Raised whenever a driver of the version before could misread the hardware."""

MEMORY_ADDRESS_BITS = 40
"""Width of a byte address in external memory."""

MAX_LAYERS = 128
"""Layers the table has counters for."""


class Access(Enum):
    """What the host may do with a register."""

    READ = "read"
    READ_WRITE = "read, write"
    PULSE = "write one"
    """Writing one to a bit triggers it for one clock; the register reads zero."""
    CLEAR = "read, write one to clear"
    """Bits that events set; writing one to a bit clears it, unless its event comes again in that clock."""


@dataclass(frozen=True)
class Field:
    """``width`` bits of a register from bit ``low`` up."""

    name: str
    low: int
    width: int
    doc: str

    @property
    def mask(self) -> int:
        """The field's bits within the word."""
        return ((1 << self.width) - 1) << self.low


@dataclass(frozen=True)
class Register:
    """One register, or an array of ``count`` of them. A register without fields is one 32-bit number."""

    name: str
    offset: int
    access: Access
    doc: str
    fields: tuple[Field, ...] = ()
    count: int = 1
    stride: int = 4

    def address(self, index: int = 0) -> int:
        """Byte address of element ``index``."""
        if not 0 <= index < self.count:
            raise IndexError(f"{self.name} has {self.count} elements, not one at {index}")
        return self.offset + self.stride * index

    def largest(self, name: str) -> int:
        """The largest value that field ``name`` holds."""
        return next((1 << field.width) - 1 for field in self.fields if field.name == name)

    def pack(self, **values: int) -> int:
        """The word that holds ``values`` by field name, zero elsewhere.

        Raises ``ValueError`` for a value that its field cannot hold, ``KeyError`` for an unknown field.
        """
        fields = {field.name: field for field in self.fields}
        word = 0
        for name, value in values.items():
            field = fields[name]
            if not 0 <= value < 1 << field.width:
                raise ValueError(f"{self.name}.{name} has {field.width} bits and cannot hold {value}")
            word |= value << field.low
        return word

    def unpack(self, word: int) -> dict[str, int]:
        """The inverse of :meth:`pack`: every field's value in ``word``."""
        return {field.name: (word & field.mask) >> field.low for field in self.fields}


def _counter(name: str, offset: int, doc: str, count: int = 1, stride: int = 4) -> Register:
    return Register(name, offset, Access.READ, doc, count=count, stride=stride)


ID = Register("ID", 0x00, Access.READ, f"constant 0x{MAGIC:08X}: there is a spec2 accelerator here")
VERSION = Register("VERSION", 0x04, Access.READ, "version of this register interface")
CONTROL = Register(
    "CONTROL",
    0x08,
    Access.PULSE,
    "starts and aborts runs",
    (
        Field(
            "start",
            0,
            1,
            "begin a run of BATCH images; while busy, and together with abort, the write is refused (SLVERR) "
            "and does nothing",
        ),
        Field(
            "abort",
            1,
            1,
            "drop the current run: everything but BATCH, LAYERS, WEIGHTS, INTERRUPT_ENABLE and what m_axis "
            "offers returns to its reset state",
        ),
        Field(
            "check",
            2,
            1,
            "read the weights of LAYERS as a run does, as fast as memory gives them, for CHECKSUM, CYCLES "
            "and WEIGHT_BEATS; refused (SLVERR) as a start is, beside one, and where the design holds its "
            "weights",
        ),
    ),
)
STATUS = Register(
    "STATUS",
    0x0C,
    Access.READ,
    "state of the run",
    (
        Field(
            "busy",
            0,
            1,
            "from start until the last result beat was accepted and the next run can begin; from check until "
            "all was read",
        ),
        Field("done", 1, 1, "a run has ended since reset or abort, by itself or by a memory error"),
        Field(
            "framing_error", 2, 1, "tlast of an image was not on its last beat; until the next start or abort"
        ),
        Field(
            "memory_error",
            3,
            1,
            "external memory answered a read with an error, which ended the run or check; until the next "
            "start, check or abort",
        ),
        Field(
            "leftover", 4, 1, "m_axis has beats of a run that was broken off: drop all of them, up to tlast"
        ),
    ),
)
BATCH = Register(
    "BATCH",
    0x10,
    Access.READ_WRITE,
    "images of the next run, 1 to SHAPE.batch; other values and writes while busy are refused (SLVERR)",
    (Field("images", 0, 8, "images"),),
)
SHAPE = Register(
    "SHAPE",
    0x14,
    Access.READ,
    "what was built",
    (
        Field("rows", 0, 8, "output channels in flight"),
        Field("lanes", 8, 8, "tiles in flight"),
        Field("batch", 16, 8, "most images per run"),
        Field("layers", 24, 8, "layers of the network"),
    ),
)
LAYERS = Register(
    "LAYERS",
    0x1C,
    Access.READ_WRITE,
    "instructions of the layer program in the next run (one a layer, more for layers made in row bands: "
    "design.json's numbers): images are maps for the first one, results what the last one makes; other "
    "values than 0 <= first <= last < instructions and writes while busy are refused (SLVERR)",
    (
        Field("first", 0, 8, "first instruction, 0 after reset"),
        Field("last", 8, 8, "last instruction, the program's after reset"),
    ),
)
CYCLES = _counter("CYCLES", 0x18, "clocks the last run was busy")
DIGEST = Register(
    "DIGEST",
    0x20,
    Access.READ,
    "SHA-256 of the artifact that the design was generated from, first four bytes first",
    count=8,
)
LOAD_BUSY = _counter("LOAD_BUSY", 0x40, "clocks in which images were being loaded")
FETCH_BUSY = _counter("FETCH_BUSY", 0x44, "clocks in which the fetch stage ran")
MAC_STEPS = _counter("MAC_STEPS", 0x48, "steps the array executed")
MAC_WAIT_X = _counter("MAC_WAIT_X", 0x4C, "clocks the array waited for spectra (X buffer)")
MAC_WAIT_DRAIN = _counter("MAC_WAIT_DRAIN", 0x50, "clocks the array waited for the drain")
MAC_WAIT_Y = _counter("MAC_WAIT_Y", 0x54, "clocks the array waited for room in the Y buffer")
OUT_BUSY = _counter("OUT_BUSY", 0x58, "clocks in which the output stage ran")
RESULT_STALL = _counter("RESULT_STALL", 0x5C, "clocks a result beat waited for the host")
MAC_WAIT_WEIGHTS = _counter(
    "MAC_WAIT_WEIGHTS", 0x60, "clocks the array waited for weights from external memory"
)
WEIGHT_BEATS = _counter("WEIGHT_BEATS", 0x64, "beats read from external memory")
WEIGHTS = Register(
    "WEIGHTS",
    0x68,
    Access.READ_WRITE,
    "4 KiB page of external memory in which the weights begin; without meaning where the design holds them; "
    "writes while busy are refused (SLVERR)",
    (Field("page", 0, MEMORY_ADDRESS_BITS - 12, "byte address / 4096"),),
)
CHECKSUM = Register(
    "CHECKSUM",
    0x6C,
    Access.READ,
    "CRC-32 of the beats that the last run or check has read, each folded to a word "
    "(hw/contract/checksum.py), the channel table first; until the next one",
)
INTERRUPT_ENABLE = Register(
    "INTERRUPT_ENABLE",
    0x70,
    Access.READ_WRITE,
    "events of INTERRUPT that raise the output interrupt, none after reset; written at any time, other bits "
    "are not looked at",
    (
        Field("done", 0, 1, "the end of a run or check does"),
        Field("framing_error", 1, 1, "a framing error does"),
        Field("memory_error", 2, 1, "a memory error does"),
    ),
)
INTERRUPT = Register(
    "INTERRUPT",
    0x74,
    Access.CLEAR,
    "what has happened, enabled or not, since it was cleared: by a one, by an abort, or by reset. A start "
    "clears nothing; an event in the clock of a clear stays",
    (
        Field(
            "done",
            0,
            1,
            "STATUS.busy has fallen, but not by an abort: results are delivered, or, beside "
            "memory_error, there are none",
        ),
        Field("framing_error", 1, 1, "STATUS.framing_error has risen: the run may wait for pixels for ever"),
        Field("memory_error", 2, 1, "STATUS.memory_error has risen; done comes with it, a clock later"),
    ),
)
LAYER_CYCLES = _counter(
    "LAYER_CYCLES",
    0x80,
    "clocks from the output stage's start of layer l to its start of the next",
    count=MAX_LAYERS,
    stride=8,
)
LAYER_STEPS = _counter("LAYER_STEPS", 0x84, "array steps of layer l", count=MAX_LAYERS, stride=8)

COUNTERS = (
    CYCLES, LOAD_BUSY, FETCH_BUSY, MAC_STEPS, MAC_WAIT_X, MAC_WAIT_DRAIN, MAC_WAIT_Y, OUT_BUSY, RESULT_STALL,
    MAC_WAIT_WEIGHTS, WEIGHT_BEATS,
)  # fmt: skip
"""The counters of a whole run. Like the per-layer ones they hold the last run until the next start."""

LAYER_COUNTERS = (LAYER_CYCLES, LAYER_STEPS)
"""Counters with one element per layer; elements beyond the network's layers do not exist (SLVERR)."""

TABLE = (
    ID, VERSION, CONTROL, STATUS, BATCH, SHAPE, CYCLES, LAYERS, DIGEST, *COUNTERS[1:], WEIGHTS,
    CHECKSUM, INTERRUPT_ENABLE, INTERRUPT, *LAYER_COUNTERS,
)  # fmt: skip
"""Every register, by ascending offset."""


def digest_words(digest: str) -> list[int]:
    """The eight words of DIGEST for a hexadecimal SHA-256 ``digest``."""
    return [int(digest[8 * i : 8 * i + 8], 16) for i in range(DIGEST.count)]


def markdown() -> str:
    """The table as a Markdown table: one line per register, one per field."""
    lines = ["| offset | register | access | meaning |", "|---|---|---|---|"]
    for register in TABLE:
        offset, name = f"`0x{register.offset:02X}`", f"`{register.name}`"
        if register.count > 1:
            offset += f" + {register.stride}·i"
            name = f"`{register.name}[i]`, i < {register.count}"
        lines.append(f"| {offset} | {name} | {register.access.value} | {register.doc} |")
        for field in register.fields:
            high = field.low + field.width - 1
            bits = f"bit {field.low}" if field.width == 1 else f"bits {high}:{field.low}"
            lines.append(f"| | {bits} `{field.name}` | | {field.doc} |")
    return "\n".join(lines) + "\n"
