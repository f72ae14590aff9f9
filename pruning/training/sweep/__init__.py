"""Sweeps: a recipe trained with several seeds and several values of its fields, by one worker or many.

``plan``: a file becomes jobs; ``engine``: jobs are carried out, here or on a Dask cluster; ``spread``: what
they measured, as mean and standard deviation over the seeds.
"""
