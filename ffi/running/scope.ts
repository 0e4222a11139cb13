/** Scopes: the variables of Python code, kept between runs. */

import { unwrapResult } from "../boundary/result.ts";
import { describe, requireOptions, requireString } from "../checks.ts";
import { FreedError } from "../errors.ts";
import { normalize } from "../intrinsics.ts";
import { napi } from "../loading/native.ts";
import type { PythonValue } from "../objects/py_object_ref.ts";
import type { PyTemplate } from "../objects/py_template.ts";
import { tracker } from "../tracker.ts";
import { fromNative } from "../values/conversions.ts";
import { normalIdentifier } from "./identifier.ts";

/** The buffer of a scope's reference; a `FreedError` if it was disposed. */
export let moduleOf: (scope: PythonScope) => ArrayBuffer;

/** Return whether a value is a scope, whatever its prototype says. */
export let isScope: (value: unknown) => value is PythonScope;

/** Make the template of a scope: that is a layer above. */
let newTemplate: (scope: PythonScope) => PyTemplate;

/** Define how the template of a scope is made. */
export function defineTemplates(make: typeof newTemplate): void {
  newTemplate = make;
}

/**
 * Options of {@linkcode PythonScope}.
 *
 * @example
 * ```ts
 * import { python, PythonScope, type ScopeOptions } from "@oneheap/oneheap";
 *
 * const options: ScopeOptions = { name: "settings" };
 * using scope = new PythonScope(options);
 * python.run("depth = 3", { scope });
 * console.log(python.eval("__import__('settings').depth")); // 3
 * ```
 */
export interface ScopeOptions {
  /**
   * The name of the scope's module: code imports it by that name, and finds it in `__name__`. A Python identifier that no other module
   * has. Without it, `oneheap_scope_` and a number.
   */
  name?: string;
}

/**
 * A scope to run Python code in: what one run defines, the next one finds.
 *
 * It is a module in Python's `sys.modules`, so what is defined in it can be pickled, and `inspect` and `typing` find its source and its
 * names. Its `__name__` is the module's name, not `__main__`: code below `if __name__ == "__main__":` doesn't run.
 *
 * Disposing it takes the module away and clears all its variables at once; functions of it that live on don't find them any more. A
 * scope that JavaScript has lost is taken away too, but functions of it keep its variables.
 *
 * @example
 * ```ts
 * import { python, PythonScope } from "@oneheap/oneheap";
 *
 * using scope = new PythonScope();
 * python.run("total = sum(range(10))", { scope });
 * console.log(scope.get("total")); // 45
 * ```
 */
export class PythonScope implements Disposable {
  #module: ArrayBuffer | undefined;
  #py: PyTemplate | undefined;

  static {
    moduleOf = (scope) => scope.#live();
    isScope = (value): value is PythonScope =>
      typeof value === "object" && value !== null && #module in value;
  }

  /**
   * Make an empty scope.
   *
   * @throws {RangeError} If there is a module of that name, or Python would find one to import; or if the name is no identifier.
   */
  constructor(options: ScopeOptions = {}) {
    const { name } = requireOptions(options);
    const normal = name === undefined ? undefined : normalIdentifier(
      "The name must be a Python identifier",
      requireString("name", name),
    );
    const made = napi.newScope(normal);
    if (made === undefined) {
      throw new RangeError(
        `Python has a module of the name ${
          describe(name)
        } already. Give another one, or dispose the scope that has it`,
      );
    }
    this.#module = unwrapResult(made) as ArrayBuffer;
    if (tracker !== undefined) {
      tracker.began(this, "scope", 0, PythonScope);
    }
  }

  /** Whether the scope was disposed. */
  get disposed(): boolean {
    return this.#module === undefined;
  }

  /**
   * The value of a variable; undefined if there is none of that name.
   *
   * @throws {FreedError} If the scope was disposed.
   */
  get(name: string): PythonValue | undefined {
    const normal = normalize(requireString("name", name), "NFKC");
    const found = napi.getItem(this.#live(), normal);
    return found === undefined ? undefined : fromNative(found) as PythonValue;
  }

  /**
   * Evaluates expressions with values in them, as {@linkcode py} does, and with the scope's names.
   *
   * @example
   * ```ts
   * import { python, PythonScope } from "@oneheap/oneheap";
   *
   * using scope = new PythonScope();
   * python.run("def area(width, height): return width * height", { scope });
   * console.log(scope.py`area(${3}, ${4}) + 1`); // 13
   * ```
   */
  get py(): PyTemplate {
    return this.#py ??= newTemplate(this);
  }

  /** Take the module away, and release all variables. Disposing twice does nothing. */
  [Symbol.dispose](): void {
    const module = this.#module;
    if (module === undefined) return;
    // First, for releasing variables may run a finaliser that comes here again.
    this.#module = undefined;
    try {
      napi.disposeScope(module);
    } catch (error) {
      this.#module = module;
      throw error;
    }
    if (tracker !== undefined) tracker.ended(this);
  }

  #live(): ArrayBuffer {
    if (this.#module !== undefined) return this.#module;
    throw new FreedError("This scope was disposed. Make a new one");
  }
}
