"""The write side: what may happen. Load, decide, append."""
