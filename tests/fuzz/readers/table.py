"""Every reader of files and streams from outside, one row each, in the file of its kind.

A row makes a valid file, says how it is mutated, and reads it as its readers do, with what they compute from
it at once. A valid file has to be accepted. A new reader is a new row.
"""

from tests.fuzz.readers import boards, images, models, networks, results, tools, training

READERS = [
    row for kind in (models, results, images, training, networks, tools, boards) for row in kind.READERS
]
