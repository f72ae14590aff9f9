"""Networks from elsewhere: any chain of supported layers becomes a network and its trainable model.

::

    nn.Module ── torch_trace.py ──▶ traced.py ────┐  torch_nodes, torch_constants, torch_models
                                                  ├──▶ assemble.py ──▶ Network, NetworkModel
    model.onnx ── onnx.load ──────▶ onnx_file.py ─┘       │      onnx_steps, onnx_inputs, onnx_nodes,
                                                          │      onnx_constants
                                                          ├─ joins.py: what becomes part of the layer before
                                                          ├─ maps.py: what lies between two layers
                                                          └─ refusals.py: what is in the way, and the way out

The two readers walk a graph and name what they find; :class:`pruning.importers.assemble.Assembler` knows
what may follow what. An operation that moves values is judged by where it moves them, a constant by whether
it is one number per channel: so exact equivalents need no list.
"""
