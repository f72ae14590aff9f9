"""Subcommands that make bitstreams and use boards, or ask what a board holds: a file each."""
