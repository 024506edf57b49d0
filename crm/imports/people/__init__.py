"""People files: rows read by a plan, staged, matched, compared and written in sets."""
