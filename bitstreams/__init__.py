"""What makes a design run somewhere: boards, builds, deployment, and the links to a running accelerator.

Reads a design folder (``spec2.v`` and ``design.json``); never imports ``pruning`` or ``sim``.
"""
