"""spec2 from Python: the commands as functions, and what they make as objects that notebooks show.

::

    import spec2

    model = spec2.prune(module, images, labels)         # a torch module, an ONNX file, or a recipe's name
    print(spec2.estimate(model, rows=8, lanes=4))       # clocks and resources, before anything is made
    design = spec2.generate(model, rows=8, lanes=4)     # Verilog, memory images, design.json
    result = spec2.simulate(design, images=16)          # the Verilog, compared with the integer model
    spec2.report(model)                                 # the page, in the notebook

Everything lies in folders as the commands leave it, so that both may be mixed: what one made the other takes.
``zoo:NAME`` stands for a trained model that comes with the project. Mistakes raise ``Spec2Error``, one
sentence. What is below these functions is public as well: ``hw``, ``pruning``, ``sim``, ``bitstreams``.
"""

from bitstreams.commands.api import (
    Design,
    Estimate,
    Model,
    Report,
    Simulation,
    estimate,
    generate,
    prune,
    report,
    simulate,
)
from bitstreams.commands.command_line import main
from hw.util.errors import Spec2Error

__all__ = [
    "Design",
    "Estimate",
    "Model",
    "Report",
    "Simulation",
    "Spec2Error",
    "estimate",
    "generate",
    "main",
    "prune",
    "report",
    "simulate",
]

if __name__ == "__main__":
    main()
