"""From an artifact and a configuration to the program that a design is made of."""
