"""The accelerator beside a PCI Express block or a processor: its ports by name, and what empties its
streams."""
