"""Tries everything that makes such integrations fail, live, each finding with its remedy."""
