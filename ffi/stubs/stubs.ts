/**
 * Makes declarations of Python's modules, so that TypeScript checks the names, arguments and keywords of what a program calls.
 *
 * ```sh
 * deno run --allow-all jsr:@oneheap/oneheap/stubs numpy pandas ./my.py -o python.d.ts
 * ```
 *
 * It imports the modules in the Python that programs here use, and reads their stub files, their annotations and, where there are
 * none, their signatures. `--module` says by which specifier the programs import the library, if not by `@oneheap/oneheap`. Without
 * `-o` it writes to standard output. How much it knows of each package it says on standard error.
 *
 * @example
 * ```ts
 * import { generateDeclarations } from "@oneheap/oneheap/stubs";
 *
 * const { text, coverage } = await generateDeclarations(["json"]);
 * console.log(text.includes("dumps(obj: PyArg"), coverage[0].package); // true json
 * ```
 *
 * @module
 */

import { relative } from "node:path";
import { parseArgs } from "node:util";
import { PythonError } from "../errors.ts";
import type { Coverage, Declarations } from "./declarations.ts";
import { DEFAULT_SPECIFIER, generateDeclarations } from "./generate.ts";

export { generateDeclarations };
export type { Coverage, Declarations };
export type { DeclarationOptions } from "./generate.ts";

const USAGE = `usage: stubs MODULE|FILE.py … [-o FILE.d.ts] [--module SPECIFIER]

  -o, --output FILE   write to this file, not to standard output
  --module SPECIFIER  what programs import the library by (${DEFAULT_SPECIFIER})`;

async function main(args: string[]): Promise<number> {
  let parsed;
  try {
    parsed = parseArgs({
      args,
      allowPositionals: true,
      options: {
        output: { type: "string", short: "o" },
        module: { type: "string" },
        help: { type: "boolean", short: "h" },
      },
    });
  } catch (error) {
    console.error(`${(error as Error).message}\n${USAGE}`);
    return 2;
  }
  const { values: { output, module, help }, positionals } = parsed;
  if (help) {
    console.log(USAGE);
    return 0;
  }
  if (positionals.length === 0) {
    console.error(`Name a module or a file\n${USAGE}`);
    return 2;
  }
  let made: Declarations;
  try {
    made = await generateDeclarations(positionals, { module });
  } catch (error) {
    if (!(error instanceof PythonError || error instanceof TypeError)) {
      throw error;
    }
    console.error(`Nothing was written: ${error.message}`);
    return 1;
  }
  if (output === undefined) console.log(made.text);
  else {
    await Deno.writeTextFile(output, made.text);
    report(output, made);
  }
  for (const it of made.coverage) console.error(share(it));
  return 0;
}

function report(output: string, { text }: Declarations): void {
  const kilobytes = Math.ceil(new TextEncoder().encode(text).length / 1000);
  const path = relative(".", output).replaceAll("\\", "/");
  console.error(
    `${output}: ${kilobytes} kB. A program sees them by this line, in any of its files:\n` +
      `  import type {} from "${path.startsWith(".") ? path : `./${path}`}";`,
  );
}

function share(
  { package: name, callables, parameters, results }: Coverage,
): string {
  const of = (count: number) =>
    callables === 0 ? "none" : `${(100 * count / callables).toFixed(1)} %`;
  return `${name}: ${callables} callables, ${
    of(parameters)
  } with the names of their parameters, ${
    of(results)
  } with a type of their result`;
}

if (import.meta.main) Deno.exit(await main(Deno.args));
