// Tiles of the launcher as a federated extension, written as it runs: no build, no package, no request elsewhere.
// JupyterLab calls init() with the modules it shares and get() for ours; see qbase/explore/jupyter/lab_tiles.py.
(() => {
  const data = /*DATA*/;
  let shared = null;

  const borrow = async name => {
    const [version] = Object.keys(shared[name]);
    return (await shared[name][version].get())();
  };

  const exists = async (contents, path) => {
    const cut = path.lastIndexOf('/');
    try {
      const folder = await contents.get(path.slice(0, cut));
      return folder.content.some(entry => entry.name === path.slice(cut + 1));
    } catch {
      return false;
    }
  };

  // the first number whose notebook and specification are both free: nothing is written over
  const freeStem = async (contents, name) => {
    for (let number = 1; ; number += 1) {
      const stem = number === 1 ? name : `${name}-${number}`;
      const taken = [await exists(contents, `notebooks/${stem}.ipynb`), await exists(contents, `reports/specs/${stem}.toml`)];
      if (!taken.includes(true)) return stem;
    }
  };

  const write = async (contents, tile) => {
    if (tile.standing && await exists(contents, tile.standing)) return tile.standing;
    const stem = await freeStem(contents, tile.name);
    const path = `notebooks/${stem}.ipynb`;
    await contents.save(path, { type: 'notebook', format: 'json', content: tile.notebook });
    if (tile.spec) {
      const text = tile.spec.replaceAll(data.stem, stem);
      await contents.save(`reports/specs/${stem}.toml`, { type: 'file', format: 'text', content: text });
    }
    return path;
  };

  const picture = sign =>
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 24 24" width="24"><text class="jp-icon3" x="12" y="18" `
    + `text-anchor="middle" font-size="18" fill="#616161">${sign}</text></svg>`;

  const build = async () => {
    const { ILauncher } = await borrow('@jupyterlab/launcher');
    const { LabIcon } = await borrow('@jupyterlab/ui-components');
    return {
      id: `${data.extension}:plugin`,
      autoStart: true,
      requires: [ILauncher],
      activate: (app, launcher) => {
        data.tiles.forEach((tile, rank) => {
          const command = `qbase:${tile.name}`;
          app.commands.addCommand(command, {
            label: tile.label,
            caption: tile.label,
            icon: new LabIcon({ name: command, svgstr: picture(tile.sign) }),
            execute: async () => {
              const path = await write(app.serviceManager.contents, tile);
              return app.commands.execute('docmanager:open', { path, factory: 'Notebook' });
            },
          });
          launcher.add({ command, category: data.category, rank });
        });
      },
    };
  };

  window._JUPYTERLAB = window._JUPYTERLAB || {};
  window._JUPYTERLAB[data.extension] = {
    init: scope => { shared = scope; },
    get: async () => {
      const plugin = await build();
      return () => ({ __esModule: true, default: plugin });
    },
  };
})();
