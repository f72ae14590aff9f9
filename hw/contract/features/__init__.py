"""Feature vectors: what a layer makes of many images, in integers that are the same wherever it runs."""

from hw.contract.features.content import About, Features, Form, LayerFeatures, features_of, layer_number
from hw.contract.features.file import load, save

__all__ = ["About", "Features", "Form", "LayerFeatures", "features_of", "layer_number", "load", "save"]
