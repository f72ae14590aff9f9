"""The accelerator's blocks in Amaranth, one concept per file, in the order of the data flow."""
