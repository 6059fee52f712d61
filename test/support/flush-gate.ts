import { type Files, nodeFiles } from '../../src/files/index.js';

/** Files of a store whose data file takes no write until the gate is opened: nothing is flushed before. */
export class FlushGate {
  readonly files: Files;
  open: () => void = () => {};
  readonly #opened = new Promise<void>((resolve) => {
    this.open = resolve;
  });

  constructor() {
    let data = -1;
    this.files = {
      ...nodeFiles,
      open: async (path, flags) => {
        const fd = await nodeFiles.open(path, flags);
        if (path.endsWith('/data')) data = fd;
        return fd;
      },
      write: async (fd, bytes, position) => {
        if (fd === data) await this.#opened;
        await nodeFiles.write(fd, bytes, position);
      },
    };
  }
}
