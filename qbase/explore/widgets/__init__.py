"""Widgets for JupyterLab over views and forms; they compute nothing."""
