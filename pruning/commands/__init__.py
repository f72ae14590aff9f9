"""What subcommands do with training and its data; ``spec2 prune`` is in ``sim``, where it measures."""
