"""What a compiled program costs: clocks by stage and layer, slices and memories."""
