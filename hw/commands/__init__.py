"""The subcommands that need nothing but ``hw``, and what the subcommands of all packages share.

A subcommand is a function in a file of its own, in ``commands`` of the package it drives. Of several it is
the last in the order of the work, ``pruning``, ``sim``, ``bitstreams``: ``generate`` asks the boards, so it
is in ``bitstreams``; ``prune`` measures with the integer model, so it is in ``sim``. Only ``commands`` may
import a package that comes before. :mod:`spec2` makes a command line of them. A subcommand imports what it
needs when it runs, so that ``spec2 --help`` is instant.
"""
