"""The vendor's API, both ways; nobody else spells its fields."""
