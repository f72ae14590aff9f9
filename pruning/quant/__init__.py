"""From trained floats to the integers of an artifact."""
