"""Released weights: which there are, downloading, converting, verifying, loading, and whether they fit in memory."""
