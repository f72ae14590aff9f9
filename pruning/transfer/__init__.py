"""What features of a trained network are good for beside its own classes: :mod:`pruning.transfer.search`
finds similar images."""
