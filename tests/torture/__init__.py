"""The torture test: a daemon amid thousands of calls while everything around it goes wrong, on a seeded schedule."""
