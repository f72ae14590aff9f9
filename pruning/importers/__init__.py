"""Networks from elsewhere: any chain of supported layers becomes a network and its trainable model.

::

    nn.Module ── torch.export ──▶ traced.py ────┐
                                                ├──▶ assemble.py ──▶ Network, Chain
    model.onnx ── onnx.load ────▶ onnx_file.py ─┘        │
                                                         └─ refusals.py: what is in the way, and the way out

The two readers walk a graph and name what they find; :class:`pruning.importers.assemble.Assembler` knows
what may follow what.
"""
