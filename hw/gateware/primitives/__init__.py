"""Building blocks that know nothing of networks: delays, buffers, loop counters, ROMs."""
