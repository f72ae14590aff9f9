"""Trainable layers whose weights are spectral words."""
