/** Values of JavaScript's classes that stand for a time, or a file: as text, for Python's side to make its objects of, and back. */

import { fileURLToPath } from "node:url";
import { MADE } from "../boundary/tape.ts";

/** A value as Python's side makes it: of which class, and of what text. */
export interface Made {
  readonly kind: number;
  readonly text: string;
}

/** A class of `Temporal`: its objects as text in ISO 8601, and such an object of a text. */
interface TemporalClass {
  readonly kind: number;
  readonly prototype: object;
  readonly toText: (value: object) => string;
  readonly from: (text: string) => unknown;
}

/** The classes that have a counterpart in Python. */
const TEMPORAL: readonly TemporalClass[] = typeof Temporal === "undefined"
  ? []
  : [
    temporal(MADE.instant, Temporal.Instant),
    temporal(MADE.zonedDateTime, Temporal.ZonedDateTime),
    temporal(MADE.plainDateTime, Temporal.PlainDateTime),
    temporal(MADE.plainDate, Temporal.PlainDate),
    temporal(MADE.plainTime, Temporal.PlainTime),
    temporal(MADE.duration, Temporal.Duration),
  ];

const BY_PROTOTYPE: ReadonlyMap<object, TemporalClass> = new Map(
  TEMPORAL.map((it) => [it.prototype, it]),
);
const BY_KIND: ReadonlyMap<number, TemporalClass> = new Map(
  TEMPORAL.map((it) => [it.kind, it]),
);

function temporal(
  kind: number,
  // deno-lint-ignore no-explicit-any -- the classes have nothing in common but this
  type: { prototype: any; from(text: string): unknown },
): TemporalClass {
  const toString = type.prototype.toString;
  // Without the name of a calendar, which Python's objects don't have.
  const options = kind === MADE.instant || kind === MADE.plainTime ||
      kind === MADE.duration
    ? undefined
    : { calendarName: "never" };
  return {
    kind,
    prototype: type.prototype,
    toText: (value) => Reflect.apply(toString, value, [options]),
    from: type.from.bind(type),
  };
}

const UrlPrototype = URL.prototype;
const href = Object.getOwnPropertyDescriptor(UrlPrototype, "href")!.get!;

/**
 * Return a value of `Temporal`, or a URL of a file, as Python's side makes it; why it has no counterpart; or undefined for values of
 * other classes.
 */
export function madeOf(
  value: object,
  prototype: object,
): Made | string | undefined {
  const found = BY_PROTOTYPE.get(prototype);
  if (found !== undefined) {
    return { kind: found.kind, text: found.toText(value) };
  }
  if (prototype !== UrlPrototype) return undefined;
  const url = Reflect.apply(href, value, []) as string;
  if (!url.startsWith("file:")) {
    return `the URL ${url} is no file's, and has no counterpart in Python. Give its href`;
  }
  return { kind: MADE.path, text: fileURLToPath(url) };
}

/** Return the object of `Temporal` that a text stands for. */
export function temporalOf(kind: number, text: string): unknown {
  const found = BY_KIND.get(kind);
  return found === undefined ? text : found.from(text);
}
