"""What makes a design run somewhere: budgets of boards, and synthesis for resource counts.

Reads a design folder (``spec2.v`` and ``design.json``); never imports ``pruning`` or ``sim``.
"""
