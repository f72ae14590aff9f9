"""A training job from recipe to model: phases, loop, log, checkpoints."""
