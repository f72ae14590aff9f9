"""Several boards with the same accelerator behind one queue: images go to whichever is free.

member.py    a board of the pool: how its link is opened, what is done before its first run
jobs.py      the queue: what waits, what a board gives back, who was tried
pool.py      a thread for each member, and what becomes of one that fails
"""
