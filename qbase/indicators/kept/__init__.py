"""What was counted once: cells and finished values kept as Arrow files beside the lake."""
