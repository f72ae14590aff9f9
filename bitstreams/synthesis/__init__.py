"""Logic synthesis with yosys: cells, logic levels and fan-outs of a design, of whole or in part."""
