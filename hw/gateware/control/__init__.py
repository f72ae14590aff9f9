"""Who moves what when: layer by layer, line by line, step by step."""
