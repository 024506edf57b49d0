"""WHO: schools, alumni, consent, interactions, imports, mail, mailed links, staff, the web kit."""
