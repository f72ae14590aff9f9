"""The control port: AXI4-Lite registers built from the table in :mod:`hw.host_interface.registers`.

One transaction at a time and direction; address and data of a write may arrive in any order.

* Write: clock 0 takes address and data (whichever comes later), clock 1 puts the bytes written among those
  kept, clock 2 compares, clock 3 stores, clock 4 answers.
* Read: clock 0 takes the address, clock 1 copies it, clocks 2 to 4 select (:mod:`.register_select`), clock 5
  answers.
"""

from amaranth import C, Cat, Module, Mux, ResetSignal, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hw.contract.config import shape_word
from hw.gateware.ports import register_select
from hw.gateware.ports.axi import AxiLite, Response
from hw.gateware.primitives.delay import replicate, without_reset
from hw.host_interface import registers
from hw.host_interface.registers import Access


def fields_layout(register):
    """The fields of ``register`` as a struct (they are contiguous from bit 0)."""
    return data.StructLayout({field.name: field.width for field in register.fields})


class AxiLiteRegisters(wiring.Component):
    """AXI4-Lite subordinate between the host and the sequencer.

    Parameters: ``config`` (``AcceleratorConfig``), ``layers`` of the network, ``digest`` of the
    artifact (hexadecimal SHA-256), ``entries``: instructions of the layer program (0: one a layer).

    Members
    -------
    bus: in, AXI4-Lite. The control port.
    start, abort, check: out, 1 each. A pulse: the host wrote the bit. A start or check while busy, or beside
        another bit, is refused, so one that was answered OKAY is never lost; ``status.busy`` must rise in
        the clock after ``start`` and ``check``, and be low two clocks after ``abort``.
    batch: out, as BATCH. Images of the next run, always 1..``config.batch``; constant while busy.
    first, last: out, as LAYERS. Instructions of the next run, always 0 ≤ first ≤ last < ``entries``; constant
        while busy.
    page: out, as WEIGHTS. Page of external memory in which the weights begin; constant while busy.
    interrupt_enable: out, the fields of INTERRUPT_ENABLE; changes at any time.
    interrupt_clear: out, the fields of INTERRUPT. A pulse for every bit to which the host wrote a one.
    interrupt: in, the fields of INTERRUPT.
    status: in, the fields of STATUS.
    checksum: in, 32. As CHECKSUM.
    cycles, load_busy, ...: in, 32 each. Every counter of ``registers.COUNTERS``, by its name in lower case.
    layer_cycles, layer_steps: in, arrays of ``layers`` times 32. Counters of every layer.
    """

    def __init__(self, config, layers, digest, entries=0):
        if not 1 <= layers <= registers.MAX_LAYERS:
            raise ValueError(f"layers must be 1..{registers.MAX_LAYERS}, not {layers}")
        self.config = config
        self.layers = layers
        self.entries = entries or layers
        self.digest = digest
        first, last = registers.LAYERS.fields
        members = {
            "bus": In(AxiLite(registers.ADDRESS_BITS)),
            "start": Out(1),
            "abort": Out(1),
            "check": Out(1),
            "batch": Out(registers.BATCH.fields[0].width, init=1),
            "first": Out(first.width),
            "page": Out(registers.WEIGHTS.fields[0].width),
            "last": Out(last.width, init=self.entries - 1),
            "interrupt_enable": Out(fields_layout(registers.INTERRUPT_ENABLE)),
            "interrupt_clear": Out(fields_layout(registers.INTERRUPT)),
            "interrupt": In(fields_layout(registers.INTERRUPT)),
            "status": In(fields_layout(registers.STATUS)),
            "checksum": In(32),
        }
        for counter in registers.COUNTERS:
            members[counter.name.lower()] = In(32)
        for counter in registers.LAYER_COUNTERS:
            members[counter.name.lower()] = In(32).array(layers)
        super().__init__(members)

    def _sources(self):
        """(byte address, value) of everything the host can read."""
        constants = {
            registers.ID: [registers.MAGIC],
            registers.VERSION: [registers.HARDWARE_VERSION],
            registers.SHAPE: [shape_word(self.config, self.layers)],
            registers.DIGEST: registers.digest_words(self.digest),
        }
        for register in registers.TABLE:
            if register.access is Access.PULSE:
                values = [0]
            elif register in constants:
                values = constants[register]
            elif register is registers.LAYERS:
                values = [Cat(self.first, self.last)]
            elif register is registers.WEIGHTS:
                values = [self.page]
            else:
                port = getattr(self, register.name.lower())
                values = port if register in registers.LAYER_COUNTERS else [port]
            for index, value in enumerate(values):
                yield register.address(index), value

    def elaborate(self, platform):
        m = Module()
        self._read_channel(m)
        self._write_channel(m)
        return m

    def _read_channel(self, m):
        bus = self.bus
        address = Signal(registers.ADDRESS_BITS - 2, reset_less=True)
        taken = Signal()
        step = Signal(range(register_select.CLOCKS + 1), reset_less=True)
        word = Signal(33, reset_less=True)
        m.d.comb += [
            bus.arready.eq(~taken & ~bus.rvalid),
            bus.rdata.eq(word[:32]),
            bus.rresp.eq(Mux(word[32], Response.OKAY, Response.SLVERR)),
        ]
        # Clock 0: take the word address.
        with m.If(bus.arvalid & bus.arready):
            m.d.sync += [address.eq(bus.araddr[2:]), taken.eq(1)]
        # Then it stays until the word is chosen.
        m.d.sync += step.eq(Mux(taken, step + 1, 0))
        sources = {byte_address >> 2: value for byte_address, value in self._sources()}
        chosen = register_select.select(m, address, sources)
        with m.If(taken & (step == register_select.CLOCKS)):
            m.d.sync += [taken.eq(0), bus.rvalid.eq(1), word.eq(chosen)]
        with m.If(bus.rvalid & bus.rready):
            m.d.sync += bus.rvalid.eq(0)

    def _write_channel(self, m):
        bus = self.bus
        kept = self._keep(m)
        # One for every register that is written: it is the one addressed.
        addressed = {
            register: Signal(name=f"addressed_{register.name.lower()}", reset_less=True)
            for register in (registers.CONTROL, registers.INTERRUPT, *kept)
        }
        word = Signal(32, reset_less=True)
        strobe = Signal(4, reset_less=True)
        have_address, have_word, merged, checked = (
            Signal(name=name) for name in ("have_address", "have_word", "merged", "checked")
        )
        # Clock 0: take address and data, each as soon as it comes.
        m.d.comb += [
            bus.awready.eq(~have_address & ~merged & ~checked & ~bus.bvalid),
            bus.wready.eq(~have_word & ~merged & ~checked & ~bus.bvalid),
        ]
        with m.If(bus.awvalid & bus.awready):
            m.d.sync += have_address.eq(1)
            for register, this in addressed.items():
                m.d.sync += this.eq(bus.awaddr[2:] == register.offset >> 2)
        with m.If(bus.wvalid & bus.wready):
            m.d.sync += [word.eq(bus.wdata), strobe.eq(bus.wstrb), have_word.eq(1)]
        # Clock 1: the bytes that are written among those that are not.
        value = Signal(32, reset_less=True)
        old = Signal(32)
        for register, current in kept.items():
            with m.If(addressed[register]):
                m.d.comb += old.eq(current)
        mask = _strobe_mask(strobe)
        m.d.sync += [value.eq((word & mask) | (old & ~mask)), merged.eq(have_address & have_word)]
        with m.If(have_address & have_word):
            m.d.sync += [have_address.eq(0), have_word.eq(0)]
        # Clock 2: whether the register takes the value.
        idle = ~self.status.busy
        layout = fields_layout(registers.CONTROL)
        control = data.View(layout, value[: layout.size])
        fits = {
            registers.CONTROL: self._control_fits(control, idle),
            registers.BATCH: idle
            & self._batch_fits(value[: len(self.batch)])
            & ~value[len(self.batch) :].any(),
            registers.LAYERS: idle & self._layers_fit(value),
            registers.WEIGHTS: idle & ~value[len(self.page) :].any(),
            registers.INTERRUPT_ENABLE: C(1),
            registers.INTERRUPT: C(1),
        }
        takes = {register: Signal(name=f"takes_{register.name.lower()}") for register in fits}
        m.d.sync += checked.eq(merged)
        for register, fit in fits.items():
            m.d.sync += takes[register].eq(merged & addressed[register] & fit)
        # Clock 3: store.
        with m.If(checked):
            m.d.sync += bus.bvalid.eq(1)
            accepted = Cat(takes.values()).any()
            m.d.sync += bus.bresp.eq(Mux(accepted, Response.OKAY, Response.SLVERR))
        with m.If(takes[registers.CONTROL]):
            m.d.comb += [getattr(self, name).eq(control[name]) for name in ("start", "abort", "check")]
        with m.If(takes[registers.INTERRUPT]):
            m.d.comb += self.interrupt_clear.as_value().eq(value)
        for register, current in kept.items():
            with m.If(takes[register]):
                m.d.sync += current.eq(value)
        with m.If(bus.bvalid & bus.bready):
            m.d.sync += bus.bvalid.eq(0)

    def _keep(self, m):
        """The registers that the host writes and the core reads. A reset gets to them a clock late, by a
        register of its own: nothing looks at them so soon after it, and its own net drives half as much."""
        late = replicate(m, ResetSignal(), name="late_reset")
        ports = {
            registers.BATCH: [self.batch],
            registers.LAYERS: [self.first, self.last],
            registers.WEIGHTS: [self.page],
            registers.INTERRUPT_ENABLE: [self.interrupt_enable.as_value()],
        }
        kept = {}
        for register, parts in ports.items():
            values = [without_reset(m, part, name=f"kept_{part.name}") for part in parts]
            with m.If(late):
                m.d.sync += [value.eq(value.init) for value in values]
            kept[register] = Cat(*values)
        return kept

    def _control_fits(self, control, idle):
        """Whether what is begun can begin: alone, of what there is."""
        start = ~control.start | (idle & ~control.abort)
        if not self.config.stream_weights:
            return start & ~control.check
        return start & (~control.check | (idle & ~control.abort & ~control.start))

    def _batch_fits(self, value):
        """Whether so many images can be a run's. value: as wide as BATCH."""
        return (value >= 1) & (value <= self.config.batch)

    def _layers_fit(self, value):
        """Whether ``value`` names layers in order and inside the network."""
        fields = data.View(fields_layout(registers.LAYERS), value[: len(self.first) + len(self.last)])
        high = value[len(self.first) + len(self.last) :]
        return (fields.first <= fields.last) & (fields.last < self.entries) & (high == 0)


def _strobe_mask(strobe):
    """32 bits: ones in the bytes that ``strobe`` selects."""
    return Cat(bit.replicate(8) for bit in strobe)
