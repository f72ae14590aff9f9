"""Verbs that simulate, report and compare: a file each."""
