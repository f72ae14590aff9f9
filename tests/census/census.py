"""What the importer makes of every network of the list."""

from dataclasses import dataclass

import torch

from hw.util.errors import UnsupportedNetwork
from pruning import convert
from tests.census.nets import NETS
from tests.pruning.importers.converting import assert_same, stirred


@dataclass(frozen=True)
class Result:
    """layers: of the network, 0 where it was refused; says: what the host does, or why it was refused."""

    name: str
    layers: int
    says: str

    @property
    def accepted(self):
        return self.layers > 0


def built(name):
    torch.manual_seed(1)
    return stirred(NETS[name](), 1).eval()


def judged(name) -> Result:
    """Accepted with equal outputs, or refused. The shape of the last map is the hardware's."""
    model = built(name)
    try:
        converted = convert(model, model.shape, name="net")
    except UnsupportedNetwork as error:
        return Result(name, 0, str(error))
    if not converted.host:
        images = torch.rand(2, *model.shape)
        with torch.no_grad():
            assert_same(converted.model.eval()(images).flatten(1), model(images).flatten(1))
    return Result(name, len(converted.network.layers), converted.note)
