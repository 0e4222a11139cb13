/**
 * Templates: expressions of Python's with values of JavaScript's in them. One becomes a function of its values, compiled once for each
 * place in a program: a template's strings are one object there, whatever its values are.
 */

import { unwrapResult } from "../boundary/result.ts";
import { MODE } from "../boundary/status.ts";
import { OPERATION } from "../boundary/tape.ts";
import { ConversionError } from "../errors.ts";
import { isArray, weakMapGet } from "../intrinsics.ts";
import { napi } from "../loading/native.ts";
import { proxied } from "../objects/proxy.ts";
import {
  callReference,
  type PyArg,
  type PyObjectRef,
  type PythonValue,
} from "../objects/py_object_ref.ts";
import type { PyTemplate } from "../objects/py_template.ts";
import { makeHandle } from "../values/handle.ts";
import { keywordsOf } from "../values/python_values.ts";
import {
  DEFAULT_OPTIONS,
  prepareToRead,
  readConverted,
} from "../values/read.ts";
import { operate } from "../values/write.ts";
import { callOwn } from "./own_function.ts";
import { runCodeAsync } from "./run.ts";
import { defineTemplates, moduleOf, type PythonScope } from "./scope.ts";

/** What is known of a place in a program. */
interface Compiled {
  /** The names in the place of the values. */
  readonly names: readonly string[];
  /** The function of the values. */
  readonly reference: ArrayBuffer;
}

/** Make the templates of a scope; without one, those whose names are the builtins alone. */
function newTemplate(scope: PythonScope | undefined): PyTemplate {
  const compiled = new WeakMap<TemplateStringsArray, Compiled>();
  const find = (strings: TemplateStringsArray): Compiled => {
    const module = scope && moduleOf(scope);
    const known = weakMapGet(compiled, strings);
    if (known !== undefined) return known;
    const made = compile(strings, module);
    compiled.set(strings, made);
    return made;
  };
  function py(strings: TemplateStringsArray, ...values: unknown[]): unknown {
    const { reference } = find(strings);
    return proxied(callReference(reference, values, requireValues));
  }
  py.js = (strings: TemplateStringsArray, ...values: unknown[]): unknown => {
    const { reference } = find(strings);
    prepareToRead();
    const result = operate(
      reference,
      OPERATION.call,
      requireValues(values),
      DEFAULT_OPTIONS,
    );
    return readConverted(result!, DEFAULT_OPTIONS);
  };
  py.async = async (
    strings: TemplateStringsArray,
    ...values: unknown[]
  ): Promise<unknown> => {
    const { reference, names } = find(strings);
    requireValues(values);
    // In a fresh scope: one that was given would keep the values.
    const bound: Record<string, PyArg> = {};
    names.forEach((name, index) => bound[name] = values[index] as PyArg);
    using callable = newHandle(reference);
    const run = runCodeAsync(MODE.eval, `function(${names.join(", ")})`, {
      names: { ...bound, function: callable },
    });
    return proxied(await run as PythonValue);
  };
  return py as PyTemplate;
}

/** Return another reference to the object of an internal one. */
function newHandle(reference: ArrayBuffer): PyObjectRef {
  const address = napi.address(reference);
  return makeHandle(
    unwrapResult(napi.fromBorrowedPointer(address)) as ArrayBuffer,
  ) as PyObjectRef;
}

/** The template whose names are the builtins and what is put in. */
export const py: PyTemplate = newTemplate(undefined);

defineTemplates(newTemplate);

/** Return the values; throw a `ConversionError` for what a template can't have. */
function requireValues(values: readonly unknown[]): readonly unknown[] {
  for (let index = 0; index < values.length; index++) {
    const value = values[index];
    if (value === undefined) {
      throw new ConversionError(
        "$",
        "type",
        `undefined has no counterpart in Python. Give null for None (value ${
          index + 1
        })`,
      );
    }
    if (keywordsOf(value) !== undefined) {
      throw new ConversionError(
        "$",
        "type",
        `keyword arguments are no value. Write name=\${value} (value ${
          index + 1
        })`,
      );
    }
  }
  return values;
}

/** Compile the template of a place. */
function compile(
  strings: TemplateStringsArray,
  module: ArrayBuffer | undefined,
): Compiled {
  if (!isArray(strings) || !isArray(strings.raw)) {
    throw new TypeError(
      "A template is written py`…`, with the values in it as ${value}. For code in a string there is python.eval",
    );
  }
  const prefix = unusedPrefix(strings);
  const names = strings.raw.slice(1).map((_, index) => `${prefix}${index + 1}`);
  // Parentheses let the expression go over several lines.
  const expression = `(${
    strings.raw.map((it, index) =>
      index === 0 ? textOf(it) : names[index - 1] + textOf(it)
    ).join("")
  }\n)`;
  const misplaced = callOwn(
    "first_misplaced",
    expression,
    prefix,
    names.length,
  );
  if (misplaced !== null) throw misplacedError(strings, misplaced as number);
  const source = `lambda ${names.join(", ")}: ${expression}`;
  return {
    names,
    reference: unwrapResult(napi.newFunction(source, module)) as ArrayBuffer,
  };
}

/** The text between values, as it stands in the program: backslashes are Python's, but where JavaScript needs them. */
function textOf(raw: string): string {
  return raw.replaceAll("\\`", "`").replaceAll("\\${", "${");
}

/** A prefix of names that are not in the text. */
function unusedPrefix(strings: TemplateStringsArray): string {
  let prefix = "_";
  while (strings.raw.some((it) => it.includes(prefix))) prefix += "_";
  return prefix;
}

function misplacedError(
  strings: TemplateStringsArray,
  number: number,
): SyntaxError {
  const before = strings.raw[number - 1].slice(-20);
  const after = strings.raw[number].slice(0, 20);
  return new SyntaxError(
    `Value ${number} of the template (…${before}\${…}${after}…) stands where Python has no expression: in a string, in a comment, or as a name. ` +
      "A value is bound, never pasted as text: write f'{${value}}' in a string, and getattr(object, ${name}) for a name",
  );
}
