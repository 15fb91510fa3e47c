"""Many entities at once: which of them lie outside a funnel, and which ranks they can hold."""
