"""The accelerator beside a PCI Express block: its ports by name, and what empties its streams."""
