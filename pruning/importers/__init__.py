"""Networks from elsewhere: a graph of supported operations becomes a network and its trainable model.

::

    nn.Module ── torch_trace.py ─▶ torch_flow.py ─▶ traced.py ────┐
                                                                  ├─▶ assemble.py ─▶ finish.py
    model.onnx ── onnx.load ─────▶ onnx_file.py ─▶ onnx_steps.py ─┘        │
                                                                           │
      values.py ◀── maps.py ◀── layers.py ◀── joins.py ◀── branches.py ◀── heads.py

The two readers walk a graph, name what they find, and hand around what stands between two operations
(:class:`pruning.importers.values.Value`). The chain of classes below knows, from the left, what waits in a
map for its reader, which layers move or average pixels, what joins the layer before, what joins several
maps, and what ends a network. :mod:`pruning.importers.hardware` alone decides what the hardware takes,
:mod:`pruning.importers.placing` how maps lie side by side, :mod:`pruning.importers.grouping` what groups are
in the end, :mod:`pruning.importers.kernels` and :mod:`pruning.importers.averages` write weights otherwise. An
operation that moves values is judged by where it moves them, a constant by whether it is one number per
channel: so exact equivalents need no list.
"""
