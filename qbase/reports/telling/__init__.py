"""Notices that leave this machine where an address was configured: report, subject code, state, code, link, counts."""
