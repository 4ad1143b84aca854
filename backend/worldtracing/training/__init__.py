"""Training of the small WT-DiT: regression first, flow matching grafted on. Needs torch."""
