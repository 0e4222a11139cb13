/** What is asked of an exception that an error holds. `values/support.py` has the class of its object in Python. */

import { defineHeldExceptions, unwrapResult } from "../boundary/result.ts";
import { OPERATION, type Operation } from "../boundary/tape.ts";
import {
  FreedError,
  HeldException,
  type MakeError,
  type PythonError,
} from "../errors.ts";
import { PlainArray } from "../intrinsics.ts";
import { napi } from "../loading/native.ts";
import { makeHandle } from "../values/handle.ts";
import {
  DEFAULT_OPTIONS,
  prepareToRead,
  readConverted,
  type ReadOptions,
  readToJs,
  type ToJs,
} from "../values/read.ts";
import { operate } from "../values/write.ts";
import { proxied } from "./proxy.ts";
import type { PyObjectRef } from "./py_object_ref.ts";

/** How fields are converted where nothing else is said. */
const FIELD_OPTIONS: ToJs = { other: "string" };

/** An exception, by the internal reference to its `HeldException`. */
class Held extends HeldException {
  #reference: ArrayBuffer | undefined;
  /** The reference by which the program has the exception, if it was asked for. */
  #exception: PyObjectRef | undefined;
  #proxy: unknown;

  constructor(reference: ArrayBuffer) {
    super();
    this.#reference = reference;
  }

  traceback(): string | undefined {
    if (this.#reference === undefined) return undefined;
    const traceback = this.#ask("format");
    return typeof traceback === "string" ? traceback : undefined;
  }

  module(): string {
    return this.#ask("module") as string;
  }

  mro(): string[] {
    return this.#ask("mro") as string[];
  }

  isInstance(type: unknown): boolean {
    return this.#ask("is_instance", DEFAULT_OPTIONS, type) as boolean;
  }

  exception(): unknown {
    if (this.#exception === undefined || this.#exception.disposed) {
      this.#exception = makeHandle(
        askNative(
          this.#live(),
          OPERATION.getAttribute,
          "exception",
        ) as ArrayBuffer,
      ) as PyObjectRef;
      this.#proxy = proxied(this.#exception);
    }
    return this.#proxy;
  }

  fields(options: unknown): unknown {
    return this.#ask(
      "fields",
      readToJs({ ...FIELD_OPTIONS, ...options as ToJs }),
    );
  }

  notes(): string[] {
    return this.#ask("notes") as string[];
  }

  errors(make: MakeError): PythonError[] | undefined {
    const list = askNative(this.#live(), OPERATION.method, "members");
    if (list === null) return undefined;
    const members = list as ArrayBuffer;
    try {
      const length = askNative(members, OPERATION.length) as number;
      const errors = new Array<PythonError>(length);
      for (let index = 0; index < length; index++) {
        const member = askNative(members, OPERATION.getItem, index);
        errors[index] = errorOf(member as ArrayBuffer, make);
      }
      return errors;
    } finally {
      napi.decref(members);
    }
  }

  cause(make: MakeError): PythonError | undefined {
    if (this.#reference === undefined) return undefined;
    const cause = askNative(this.#reference, OPERATION.method, "cause");
    return cause === null ? undefined : errorOf(cause as ArrayBuffer, make);
  }

  release(): void {
    const reference = this.#reference;
    if (reference === undefined) return;
    this.#exception?.[Symbol.dispose]();
    this.#reference = this.#proxy = undefined;
    napi.releaseException(reference);
  }

  /** Call a method, and return its result as plain data. */
  #ask(
    name: string,
    options: ReadOptions = DEFAULT_OPTIONS,
    ...args: unknown[]
  ): unknown {
    const values = new PlainArray<unknown>();
    values[0] = name;
    for (let index = 0; index < args.length; index++) {
      values[index + 1] = args[index];
    }
    prepareToRead();
    const reference = this.#live();
    const result = operate(reference, OPERATION.method, values, options);
    return readConverted(result!, options);
  }

  #live(): ArrayBuffer {
    if (this.#reference !== undefined) return this.#reference;
    throw new FreedError(
      "This PythonError was disposed, and its exception released",
    );
  }
}

/** Do something with the object of an internal reference; return the result as it is, an internal reference for an object. */
function askNative(
  reference: ArrayBuffer,
  operation: Operation,
  ...values: unknown[]
): unknown {
  return unwrapResult(operate(reference, operation, values)!);
}

/** Return the error of another exception, which it takes ownership of. */
function errorOf(reference: ArrayBuffer, make: MakeError): PythonError {
  const attribute = (name: string) =>
    askNative(reference, OPERATION.getAttribute, name) as string;
  return make(attribute("name"), attribute("message"), new Held(reference));
}

defineHeldExceptions((reference) => new Held(reference));
