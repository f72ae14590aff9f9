"""The accelerator's ports: registers, images in, results out."""
