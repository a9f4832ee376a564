"""The heart, pure: events in, reports out."""
