"""How good layers are: the object protocol, its metrics, baselines and report (needs scipy and the data extras)."""
