"""What happened while no daemon listened, from Asterisk's own records (CDR, CEL)."""
