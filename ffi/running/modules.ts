/** Python's modules, as proxies: imported, made from source, or read from a file. */

import { fileURLToPath } from "node:url";
import { MODE } from "../boundary/status.ts";
import { describe, requireString } from "../checks.ts";
import { own, type PyObjectRef } from "../objects/py_object_ref.ts";
import { proxied } from "../objects/proxy.ts";
import type { PyAny } from "../py_any.ts";
import { callOwn } from "./own_function.ts";
import { runCode } from "./run.ts";
import { PythonScope } from "./scope.ts";

/** Import a module. */
export function importModule(name: string): PyAny {
  requireString("name", name);
  return proxied(callOwn("import_module", name) as PyObjectRef);
}

/** Import a file as a module, once. */
export function importFile(file: string | URL): PyAny {
  return proxied(callOwn("import_file", pathOf(file)) as PyObjectRef);
}

function pathOf(file: unknown): string {
  if (typeof file === "string" && !/^(?:file:|\w+:\/\/)/.test(file)) {
    return file;
  }
  try {
    return fileURLToPath(file as string | URL);
  } catch {
    throw new TypeError(
      `The file must be a path or a URL that begins with file:; ${
        file instanceof URL ? file.href : describe(file)
      } was given. Download what is elsewhere first`,
    );
  }
}

/** Make a module of statements. It is in `sys.modules` until the proxy is disposed or lost. */
export function newModule(source: string, name: string | undefined): PyAny {
  requireString("source", source);
  const scope = new PythonScope({ name });
  try {
    runCode(MODE.run, source, { scope });
    const module = runCode(MODE.eval, THIS_MODULE, { scope }) as PyObjectRef;
    own(module, scope);
    return proxied(module);
  } catch (error) {
    scope[Symbol.dispose]();
    throw error;
  }
}

/** The module of a scope. The source may have changed any name in it but what is asked here. */
const THIS_MODULE =
  "(lambda: None).__globals__['__builtins__']['__import__']('sys').modules[__name__]";
