/** From the names of modules to their declarations: the Python half looks, the rest is written here. */

import { basename, resolve } from "node:path";
import { describe } from "../checks.ts";
import { python } from "../python.ts";
import { type Declarations, declarations } from "./declarations.ts";
import type { Model } from "./model.ts";

/** What programs import the library by, unless something else is said. */
export const DEFAULT_SPECIFIER = "@oneheap/oneheap";

/** The modules of the Python half, each of which may import those before it. */
const PYTHON_HALF = ["sources", "annotations", "members"];

/** How declarations are made. */
export interface DeclarationOptions {
  /** The specifier by which programs import the library; `@oneheap/oneheap` by default. */
  readonly module?: string;
}

/**
 * Make declarations of modules, as the text of a file. They are imported, in the Python that is embedded here.
 *
 * @param modules Names of modules, and paths of files that end in `.py`.
 * @returns The text, and how much is known of each package.
 * @throws {TypeError} No module is given, or something that is neither a name nor a file.
 * @throws {PythonError} A module can't be imported: Python's own exception.
 *
 * @example
 * ```ts
 * import { generateDeclarations } from "@oneheap/oneheap/stubs";
 *
 * const { text } = await generateDeclarations(["statistics"], { module: "./mod.ts" });
 * console.log(text.includes('declare module "./mod.ts"')); // true
 * ```
 */
export async function generateDeclarations(
  modules: readonly string[],
  { module = DEFAULT_SPECIFIER }: DeclarationOptions = {},
): Promise<Declarations> {
  const files: Record<string, string> = {};
  const names: string[] = [];
  for (const it of modules) {
    if (typeof it === "string" && it.endsWith(".py")) {
      files[basename(it, ".py")] = resolve(it);
    } else names.push(requireModuleName(it));
  }
  if (modules.length === 0) {
    throw new TypeError(
      'Name one module at least, as in generateDeclarations(["numpy"])',
    );
  }
  using half = new DisposableStack();
  let members;
  for (const name of PYTHON_HALF) {
    const source = await readSource(name);
    members = half.use(python.module(source, `oneheap_stubs_${name}`));
  }
  using model = members.describe(names, files);
  return declarations(model.$js() as Model, module);
}

function requireModuleName(name: unknown): string {
  if (
    typeof name === "string" &&
    /^[\p{ID_Start}_][\p{ID_Continue}]*(\.[\p{ID_Start}_][\p{ID_Continue}]*)*$/u
      .test(name)
  ) {
    return name;
  }
  throw new TypeError(
    `A module's name, as numpy or scipy.optimize, or the path of a file that ends in .py is wanted; ${
      describe(name)
    } was given`,
  );
}

/** A file of the Python half stands beside this one, on a disk or on a server. */
async function readSource(name: string): Promise<string> {
  const response = await fetch(new URL(`./${name}.py`, import.meta.url));
  return await response.text();
}
