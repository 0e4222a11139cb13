/** Scopes: the variables of Python code, kept between runs. */

import { unwrapResult } from "../boundary/result.ts";
import { requireString } from "../checks.ts";
import { FreedError } from "../errors.ts";
import { normalize } from "../intrinsics.ts";
import { napi } from "../loading/native.ts";
import type { PythonValue } from "../objects/py_object_ref.ts";
import { fromNative } from "../values/conversions.ts";

/** The buffer of a scope's reference; a `FreedError` if it was disposed. */
export let dictionaryOf: (scope: PythonScope) => ArrayBuffer;

/** Return whether a value is a scope, whatever its prototype says. */
export let isScope: (value: unknown) => value is PythonScope;

/**
 * A scope to run Python code in: what one run defines, the next one finds, as in one module.
 *
 * Disposing it clears all its variables at once; functions of it that live on don't find them any more.
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
  #dictionary: ArrayBuffer | undefined;

  static {
    dictionaryOf = (scope) => scope.#live();
    isScope = (value): value is PythonScope =>
      typeof value === "object" && value !== null && #dictionary in value;
  }

  /** Make an empty scope. */
  constructor() {
    this.#dictionary = unwrapResult(napi.newScope()) as ArrayBuffer;
  }

  /** Whether the scope was disposed. */
  get disposed(): boolean {
    return this.#dictionary === undefined;
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

  /** Release all variables. Disposing twice does nothing. */
  [Symbol.dispose](): void {
    const dictionary = this.#dictionary;
    if (dictionary === undefined) return;
    // First, for releasing variables may run a finaliser that comes here again.
    this.#dictionary = undefined;
    try {
      napi.disposeScope(dictionary);
    } catch (error) {
      this.#dictionary = dictionary;
      throw error;
    }
  }

  #live(): ArrayBuffer {
    if (this.#dictionary !== undefined) return this.#dictionary;
    throw new FreedError("This scope was disposed. Make a new one");
  }
}
