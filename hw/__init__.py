"""The accelerator: its contract (numpy only), its gateware (Amaranth), its generator, its verbs (typer).

The modules directly in this package are the *contract* that training, simulation and board
support share; importing them loads neither torch nor Amaranth.
"""
