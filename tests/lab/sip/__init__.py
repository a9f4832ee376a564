"""A small SIP user agent of the lab's own: phones and providers, over UDP on loopback."""
