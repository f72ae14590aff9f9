"""The accelerator: what all parts agree on, the compiler, the cost model, the gateware, the generator.

From the bottom up: :mod:`hw.util` (errors, files, processes), :mod:`hw.host_interface` (registers, frames),
:mod:`hw.contract` (networks, numbers, artifacts, designs), :mod:`hw.compile` and :mod:`hw.host` on top of it,
:mod:`hw.cost`, :mod:`hw.explore`. All of these need numpy and msgspec only. :mod:`hw.gateware` (Amaranth) is
what the program becomes, :mod:`hw.emit` writes it as Verilog, :mod:`hw.generate` as a design folder.
"""
