"""What training, hardware, simulation and deployment agree on: networks, numbers, artifacts, designs."""
