"""Load: recorded calls multiplied and played over AMI sockets, to one daemon or several; what must come of them."""
