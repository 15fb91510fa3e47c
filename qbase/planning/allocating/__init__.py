"""Firms, past rates, costs and what is asked in; how many firms of each stratum out."""
