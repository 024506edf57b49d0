"""A demo district: invented people, replayed through the real import, engine and mail code."""
