"""What simulations and searches measured, as data, pages and plots."""
