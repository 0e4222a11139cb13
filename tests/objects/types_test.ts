/** The types of the fluent layer: what is declared is checked, what isn't is `any`. It is checked by `deno check`, and by each line that must be an error. */

import { assertEquals } from "@std/assert";
import {
  type Kw,
  kw,
  py,
  type PyArg,
  type PyProxy,
  type PyProxyMembers,
  python,
} from "../../mod.ts";

/** A module as declarations have it. */
interface Statistics {
  mean(data: PyArg, kw?: Kw<{ xbar?: number }>): number;
  quantiles(
    data: PyArg,
    kw?: Kw<{ n?: number; method?: "inclusive" | "exclusive" }>,
  ): PyProxy<{ readonly [index: number]: number }>;
  NormalDist(mu?: number, sigma?: number): NormalDist;
}

/** A class, which extends the members that every proxy has. */
interface NormalDist extends PyProxyMembers<never> {
  readonly mean: number;
  overlap(other: NormalDist): number;
}

declare module "../../mod.ts" {
  interface PyModules {
    statistics: Statistics;
  }
}

/** Whether two types are the same, `any` too. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends
  (<T>() => T extends B ? 1 : 2) ? true : false;

function expectType<_Is extends true>(): void {}

Deno.test("a module that is declared has its type", () => {
  const statistics = python.import("statistics");
  expectType<Same<typeof statistics, Statistics>>();
  assertEquals(statistics.mean([1, 2, 6]), 3);
  assertEquals(statistics.quantiles([1, 2, 3], kw({ n: 2 }))[0], 2);
  const one = statistics.NormalDist(1, 2);
  expectType<Same<typeof one.mean, number>>();
  assertEquals(one.overlap(statistics.NormalDist(1, 2)), 1);
  assertEquals(one.$type, "statistics.NormalDist");
});

Deno.test("what nobody has declared is any", () => {
  const json = python.import("json");
  // deno-lint-ignore no-explicit-any
  expectType<Same<typeof json, any>>();
  const text: string = json.dumps([1], kw({ indent: null }));
  assertEquals(text.length > 0, true);
});

/** Never called: its lines are for the type checker. */
export function errorsOfTypes(statistics: Statistics): void {
  // @ts-expect-error: there is no such function.
  statistics.maen([1]);
  // @ts-expect-error: a misspelt keyword.
  statistics.quantiles([1], kw({ m: 2 }));
  // @ts-expect-error: a misspelt keyword beside a right one.
  statistics.quantiles([1], kw({ n: 2, metod: "inclusive" }));
  // @ts-expect-error: a keyword of another type.
  statistics.quantiles([1], kw({ n: "2" }));
  // @ts-expect-error: a value that the keyword can't have.
  statistics.quantiles([1], kw({ method: "other" }));
  // @ts-expect-error: an object without kw is no keywords.
  statistics.quantiles([1], { n: 2 });
  // @ts-expect-error: undefined is no argument.
  statistics.mean(undefined);
  // @ts-expect-error: neither is a symbol.
  statistics.mean(Symbol());
  // @ts-expect-error: another type than the attribute's.
  const _text: string = statistics.NormalDist().mean;
  // @ts-expect-error: an attribute that is declared as one to read.
  statistics.NormalDist().mean = 3;
  // @ts-expect-error: the members of proxies are checked as well.
  statistics.NormalDist().$lenght;
  // @ts-expect-error: the name of a module is a string.
  python.import(3);
  // @ts-expect-error: a region needs a function.
  python.region(3);
  // @ts-expect-error: a template is no function of strings.
  py("1 + 1");
}

/** Never called: what the type checker has to take. */
export function rightTypes(): void {
  expectType<Same<ReturnType<typeof regionOfNumber>, number>>();
  const typed = py<number[]>`[1]`;
  expectType<Same<typeof typed, number[]>>();
  const plain = py.js<{ a: number }>`{"a": 1}`;
  expectType<Same<typeof plain, { a: number }>>();
  const later = py.async<string>`"x"`;
  expectType<Same<typeof later, Promise<string>>>();
  const dated = python.proxy<NormalDist>(py`1`);
  expectType<Same<typeof dated, NormalDist>>();
  interface Row {
    price: number;
  }
  const row: Row = { price: 1 };
  const argument: PyArg = [row, new Map([["a", new Set([1n])]]), new Date()];
  python.builtins.list(argument, kw<{ key?: PyArg }>({ key: undefined }));
}

function regionOfNumber() {
  return python.region(() => 1);
}
