"""The host's side of an accelerator: registers, stream formats, link, driver."""
