"""The verbs of the command line that need nothing but ``hw``, and what the verbs of all packages share.

A verb is a function in a file of its own, in ``commands`` of the package it drives, or of one that may also
import what else it needs: ``generate`` asks the boards, so it is in ``bitstreams``. :mod:`spec2` makes a
command line of them, and holds the verbs that need more than one of ``pruning``, ``sim`` and
``bitstreams``. A verb imports what it needs when it runs, so that ``spec2 --help`` is instant.
"""
