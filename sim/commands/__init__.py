"""Subcommands that prune and measure, simulate, report and compare: a file each."""
