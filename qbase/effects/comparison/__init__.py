"""Panel and policy in; who is compared with whom, and the words for them, out."""
