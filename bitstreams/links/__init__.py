"""Links to boards: what :class:`hw.host.link.Link` asks for, over real transports. One file per transport."""
