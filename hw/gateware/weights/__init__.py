"""Weight steps on their way to the array: held on chip, or from external memory."""
