/** A JSR registry for one version of one package: what Deno asks of it, as the real one answers. */

import { createHash } from "node:crypto";

/** A package, as it is published. */
export interface Package {
  /** Its name with its scope, as `@oneheap/oneheap`. */
  readonly name: string;
  readonly version: string;
  /** Its entry points: `{ ".": "./mod.ts" }`. */
  readonly exports: Record<string, string>;
  /** The contents of its files by their paths, as `/mod.ts`. */
  readonly files: ReadonlyMap<string, Uint8Array<ArrayBuffer>>;
}

/** Serves a package on 127.0.0.1 until it is disposed. */
export class Registry implements AsyncDisposable {
  /** What was asked for, in order: paths below {@linkcode url}. */
  readonly requests: string[] = [];
  /** Files that are served with other contents than the manifest tells, by their paths in the package. */
  readonly tampered: Map<string, string> = new Map();
  readonly #package: Package;
  readonly #server: Deno.HttpServer<Deno.NetAddr>;

  constructor(published: Package) {
    this.#package = published;
    this.#server = Deno.serve(
      { hostname: "127.0.0.1", port: 0, onListen: () => {} },
      (request) => this.#answer(new URL(request.url).pathname),
    );
  }

  /** What `JSR_URL` is set to. */
  get url(): string {
    return `http://127.0.0.1:${this.#server.addr.port}/`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server.shutdown();
  }

  #answer(path: string): Response {
    this.requests.push(path);
    const { name, version, exports } = this.#package;
    if (path === `/${name}/meta.json`) {
      const [scope, base] = name.slice(1).split("/");
      return Response.json({
        scope,
        name: base,
        latest: version,
        versions: { [version]: {} },
      });
    }
    if (path === `/${name}/${version}_meta.json`) {
      return Response.json({ manifest: this.#manifest(), exports });
    }
    return this.#file(path.replace(`/${name}/${version}`, ""));
  }

  #manifest(): Record<string, { size: number; checksum: string }> {
    const entries = [...this.#package.files].map(([path, contents]) => {
      const digest = createHash("sha256").update(contents).digest("hex");
      return [path, { size: contents.length, checksum: `sha256-${digest}` }];
    });
    return Object.fromEntries(entries);
  }

  #file(path: string): Response {
    const contents = this.tampered.get(path) ??
      this.#package.files.get(path);
    if (contents === undefined) return new Response(null, { status: 404 });
    const type = path.endsWith(".json")
      ? "application/json"
      : "text/typescript";
    return new Response(contents, { headers: { "content-type": type } });
  }
}
