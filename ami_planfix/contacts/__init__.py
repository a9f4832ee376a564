"""Who is calling: the client's name and the manager responsible for them."""
