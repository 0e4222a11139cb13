/** Random nested values, and a slow model of what they are on the other side. */

/** Numbers from a seed: xorshift. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed * 2654435761 >>> 0 || 1;
  }

  /** A whole number below the bound. */
  below(bound: number): number {
    let state = this.#state;
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    this.#state = state >>> 0;
    return this.#state % bound;
  }

  pick<Element>(elements: readonly Element[]): Element {
    return elements[this.below(elements.length)];
  }
}

const STRINGS = [
  "",
  "a",
  "name",
  "exactly8",
  "nine_char",
  "x".repeat(12),
  "y".repeat(13),
  "z".repeat(127),
  "z".repeat(128),
  "w".repeat(700),
  "ü",
  "Größe für Ärger é",
  "ÿ".repeat(200),
  "日本語のテキスト",
  "😀",
  "a😀".repeat(40),
  "\ud800",
  "lone \udfff low",
  "nul\0inside",
  '"quoted" \\ and\nlines\u2028',
  "__proto__",
  "constructor",
  "0",
  "17",
];

const NUMBERS = [
  0,
  -0,
  1,
  -1,
  0.1,
  -2.5,
  127,
  128,
  65536,
  2 ** 31 - 1,
  2 ** 31,
  -(2 ** 31),
  -(2 ** 31) - 1,
  2 ** 53 - 1,
  2 ** 53,
  -(2 ** 53) + 1,
  2 ** 64,
  1e300,
  5e-324,
  NaN,
  Infinity,
  -Infinity,
];

const BIGINTS = [
  0n,
  -1n,
  2n ** 31n,
  2n ** 53n,
  2n ** 63n - 1n,
  -(2n ** 63n),
  2n ** 63n,
  2n ** 64n,
  -(2n ** 200n) + 7n,
];

/** A value that has no others in it. */
function leaf(random: Random): unknown {
  switch (random.below(9)) {
    case 0:
      return null;
    case 1:
      return random.below(2) === 0;
    case 2:
    case 3:
      return random.pick(NUMBERS);
    case 4:
      return random.pick(BIGINTS);
    case 5:
      return new Uint8Array(random.below(40)).map(() => random.below(256));
    default:
      return random.pick(STRINGS);
  }
}

/** A random value, nested at most so deep. */
export function randomValue(random: Random, depth: number): unknown {
  if (depth === 0) return leaf(random);
  const size = random.below(6);
  const elements = () =>
    Array.from({ length: size }, () => randomValue(random, depth - 1));
  switch (random.below(10)) {
    case 0:
    case 1:
      return elements();
    case 2:
      return Array.from({ length: size }, () => random.pick(NUMBERS));
    case 3: {
      const records = random.below(5);
      const keys = Array.from({ length: size }, () => random.pick(STRINGS));
      return Array.from(
        { length: records },
        () => objectOf(random, keys, depth),
      );
    }
    case 4:
    case 5:
      return objectOf(
        random,
        Array.from({ length: size }, () => random.pick(STRINGS)),
        depth,
      );
    case 6:
      return new Map(
        Array.from({ length: size }, (_, index) => [
          `${random.pick(STRINGS)}${index}`,
          randomValue(random, depth - 1),
        ]),
      );
    case 7:
      return new Set(
        Array.from(
          { length: size },
          (_, index) => `${index}${random.pick(STRINGS)}`,
        ),
      );
    default:
      return leaf(random);
  }
}

function objectOf(
  random: Random,
  keys: readonly string[],
  depth: number,
): object {
  const object = random.below(8) === 0 ? Object.create(null) : {};
  for (const key of keys) {
    const value = random.below(12) === 0
      ? undefined
      : randomValue(random, depth - 1);
    Object.defineProperty(object, key, {
      value,
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return object;
}

/** What Python has of a value, as `CANON` writes it: the conversion table, slowly. */
export function canonical(value: unknown): string {
  switch (typeof value) {
    case "boolean":
      return value ? "T" : "F";
    case "number":
      return Number.isSafeInteger(value) && !Object.is(value, -0)
        ? `i${value}`
        : `f${bits(value)}`;
    case "bigint":
      return `i${value}`;
    case "string":
      return `s${units(value)}`;
  }
  if (value === null) return "N";
  if (value instanceof Uint8Array) return `b${value.toHex()}`;
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (value instanceof Set) {
    return `(${[...value].map(canonical).sort().join(",")})`;
  }
  const entries = value instanceof Map
    ? [...value]
    : Object.entries(value as object).filter(([, it]) => it !== undefined);
  return `{${
    entries.map(([key, it]) => `${canonical(key)}:${canonical(it)}`).join(",")
  }}`;
}

function bits(number: number): string {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, number);
  return Number.isNaN(number) ? "nan" : view.getBigUint64(0).toString(16);
}

function units(text: string): string {
  return Array.from(
    { length: text.length },
    (_, index) => text.charCodeAt(index).toString(16),
  ).join(".");
}

/** The same, written by Python of its objects. */
export const CANON = `
import struct

def canon(value):
    kind = type(value)
    if value is None: return "N"
    if kind is bool: return "T" if value else "F"
    if kind is int: return f"i{value}"
    if kind is float:
        return "fnan" if value != value else "f%x" % struct.unpack(">Q", struct.pack(">d", value))
    if kind is str:
        encoded = value.encode("utf-16-le", "surrogatepass")
        return "s" + ".".join("%x" % unit for unit in struct.unpack(f"<{len(encoded) // 2}H", encoded))
    if kind is bytes: return "b" + value.hex()
    if kind is list: return "[" + ",".join(map(canon, value)) + "]"
    if kind is set: return "(" + ",".join(sorted(map(canon, value))) + ")"
    if kind is dict: return "{" + ",".join(f"{canon(key)}:{canon(it)}" for key, it in value.items()) + "}"
    raise TypeError(kind)
`;

/** What comes back of a value that has gone to Python: the conversion table in both directions, slowly. */
export function returned(value: unknown): unknown {
  switch (typeof value) {
    case "bigint":
      return value <= Number.MAX_SAFE_INTEGER &&
          value >= Number.MIN_SAFE_INTEGER
        ? Number(value)
        : value;
    case "object":
      break;
    default:
      return value;
  }
  if (value === null || value instanceof Uint8Array) return value;
  if (Array.isArray(value)) return value.map(returned);
  if (value instanceof Set) return new Set([...value].map(returned));
  const entries = value instanceof Map
    ? [...value]
    : Object.entries(value).filter(([, it]) => it !== undefined);
  const object = {};
  for (const [key, it] of entries) {
    Object.defineProperty(object, key, {
      value: returned(it),
      enumerable: true,
      configurable: true,
      writable: true,
    });
  }
  return object;
}
