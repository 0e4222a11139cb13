/** Files whose reads and writes pend until somebody is at the other end. */

/** A FIFO whose reads and writes pend, for it is open for both at either end. */
export class Fifo implements AsyncDisposable {
  constructor(
    readonly folder: string,
    readonly reader: Deno.FsFile,
    readonly writer: Deno.FsFile,
  ) {}

  static async open(): Promise<Fifo> {
    const folder = await Deno.makeTempDir();
    const path = `${folder}/fifo`;
    await new Deno.Command("mkfifo", { args: [path] }).output();
    const both = { read: true, write: true };
    return new Fifo(
      folder,
      await Deno.open(path, both),
      await Deno.open(path, both),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.reader.close();
    this.writer.close();
    await Deno.remove(this.folder, { recursive: true });
  }
}
