"""Bundles a letter shows, and the colours, words and letters of the page they are shown with."""
