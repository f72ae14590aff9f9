"""Links to boards: what :class:`hw.link.Link` asks for, over real transports. One file per transport."""
