"""Floor 3: rewriting. Rules are data (`rules/`), applied by one engine to a fixed point."""
