"""The subcommands that need nothing but ``hw``, and what those of all packages share.

A subcommand is a function in a file of its own, in ``commands`` of the package it drives, or of one that may
also import what else it needs: ``generate`` asks the boards, so it is in ``bitstreams``. :mod:`spec2` makes a
command line of them, and holds those that need more than one of ``pruning``, ``sim`` and
``bitstreams``. A subcommand imports what it needs when it runs, so that ``spec2 --help`` is instant.
"""
