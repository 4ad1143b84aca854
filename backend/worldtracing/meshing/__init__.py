"""From the layered cloud to a textured mesh: what a generator is, the built-in one, and what generators share."""
