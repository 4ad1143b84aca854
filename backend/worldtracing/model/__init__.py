"""WT-DiT: the layered diffusion transformer of World Tracing (needs torch and einops; `config` alone does not)."""
