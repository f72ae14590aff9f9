"""Reports as pages of HTML: one file each, without a network, readable on a phone, in the dark and on
paper."""
