"""One file that an administrator can send: everything that helps, and no secret."""
