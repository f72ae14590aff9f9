"""Links to boards: what :class:`hw.host.link.Link` asks for, over real transports. A file each,
found by scan (:mod:`bitstreams.links.opening`). How to add one: ``docs/extending.md``."""
