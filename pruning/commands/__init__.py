"""What verbs do with training and its data; the verbs themselves need ``sim`` as well: :mod:`spec2`."""
