"""Failover: two daemons on one busy PBX and one PostgreSQL, either killed at random; nothing may be lost or doubled."""
