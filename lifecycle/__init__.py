"""WHEN: the continuum, journeys and campaigns."""
