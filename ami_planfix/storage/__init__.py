"""Engine, schema and its migrations."""
