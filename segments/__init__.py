"""WHOM: saved segments, school requests, matching, asks, clearance, the propensity model."""
