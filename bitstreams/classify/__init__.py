"""Images through an accelerator behind a link."""
