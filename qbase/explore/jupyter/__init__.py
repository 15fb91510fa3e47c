"""How JupyterLab is started over a workspace: versions, private settings, tiles of the launcher."""
