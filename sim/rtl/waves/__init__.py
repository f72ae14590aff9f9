"""Waves of a simulation: an FST file of every signal, and a save file that opens it sorted by stage."""
