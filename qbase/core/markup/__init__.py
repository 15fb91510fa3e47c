"""How a value writes itself where it is looked at: one table, its sentences and its checks, escaped, without script."""
