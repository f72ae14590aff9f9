"""An accelerator as an IP: a folder that designs of others take it from, whatever tool builds them.

Files: the Verilog and its memories; a wrapper whose ports Vivado knows (:mod:`bitstreams.flows.ip.wrapper`);
``component.xml`` (:mod:`bitstreams.flows.ip.component`); the registers for C
(:mod:`bitstreams.flows.ip.c_header`) and in SystemRDL (:mod:`bitstreams.flows.ip.system_rdl`); a core of
FuseSoC; a module for LiteX (:mod:`bitstreams.flows.ip.litex_module`); a testbench
(:mod:`bitstreams.flows.ip.testbench`); a page that says all this.
"""

from bitstreams.flows.ip.package import Package, package

__all__ = ["Package", "package"]
