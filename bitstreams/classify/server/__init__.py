"""Classification as a service: the Open Inference Protocol (KServe v2, HTTP) in front of a pool of boards.

    messages.py      requests and answers: tensors in JSON, or in binary behind it
    batching.py      images of any requests, put together to runs
    application.py   the routes, the limits, the errors

:mod:`bitstreams.commands.serve` starts it.
"""
