"""The notebook open in JupyterLab → the verified page of a run of it."""
