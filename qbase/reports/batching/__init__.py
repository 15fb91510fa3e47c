"""Many reports at once: planned, queued, run side by side, tried again where the machinery failed."""
