"""What host and accelerator say to one another: registers, frames of images and results, serial frames."""
