/** Where the program is: the call stack of JavaScript, without the frames of this library, as Python gets to know it. */

import { unwrapResult } from "../boundary/result.ts";
import { MAX_CALL_STACKS } from "../limits.ts";
import { napi } from "../loading/native.ts";

/** A function of JavaScript, as `Error.captureStackTrace` takes one. */
export type Caller = (...args: never[]) => unknown;

/** What V8 says of a frame: https://v8.dev/docs/stack-trace-api. */
interface CallSite {
  /** The module's URL. (`getFileName` is Deno's: a path, where there is one.) */
  getScriptNameOrSourceURL(): string | null;
  getFunctionName(): string | null;
  getLineNumber(): number | null;
  /** The class of the receiver. */
  getTypeName(): string | null;
}

/** V8's `Error`, with what the declarations of TypeScript leave out. */
const V8Error = Error as unknown as {
  stackTraceLimit: number;
  prepareStackTrace: unknown;
  captureStackTrace(holder: object, above?: Caller): void;
};

/** This library's files. Those of a checkout's tests are not below it. */
const LIBRARY = new URL("../", import.meta.url).href;
const ENTRY = new URL("../../mod.ts", import.meta.url).href;

/** The addresses of the call stacks that this thread has seen, by the places of all their frames. */
const known = new Map<string, number>();

/** The frames of the call stack that was captured last. */
let frames: readonly CallSite[] = [];

/** Return the text by which V8's frames are known, and keep them. */
function keyOf(_error: unknown, callSites: readonly CallSite[]): string {
  let key = "";
  for (let index = 0; index < callSites.length; index++) {
    const site = callSites[index];
    key += `${site.getScriptNameOrSourceURL()}:${site.getLineNumber()}\n`;
  }
  frames = callSites;
  return key;
}

/** Capture the call stack above a function; all of it if that isn't on the stack. Return by what it is known. */
function capture(limit: number, above: Caller): string {
  const { stackTraceLimit, prepareStackTrace } = V8Error;
  const holder: { stack?: string } = {};
  try {
    V8Error.stackTraceLimit = limit;
    V8Error.prepareStackTrace = keyOf;
    V8Error.captureStackTrace(holder, above);
    // Reading it is what calls `prepareStackTrace`.
    return holder.stack!;
  } finally {
    V8Error.stackTraceLimit = stackTraceLimit;
    V8Error.prepareStackTrace = prepareStackTrace;
  }
}

/** A place whose frames V8 keeps, and whose lines nobody has looked up yet: that is nine tenths of the cost. */
export interface CallSites {
  readonly stack?: string;
}

/** Keep where the program is, without a function and what it has called. */
export function keepCallSites(limit: number, above: Caller): CallSites {
  const { stackTraceLimit } = V8Error;
  const place: CallSites = {};
  try {
    V8Error.stackTraceLimit = limit;
    V8Error.captureStackTrace(place, above);
  } finally {
    V8Error.stackTraceLimit = stackTraceLimit;
  }
  return place;
}

/** Format a place as the stack of an error, without the frames of this library. */
export function formatCallSites(place: CallSites, frames: number): string {
  const { prepareStackTrace } = V8Error;
  try {
    V8Error.prepareStackTrace = formatOwn;
    return (place.stack ?? "").split("\n").slice(0, frames).join("\n");
  } finally {
    V8Error.prepareStackTrace = prepareStackTrace;
  }
}

/** Format the frames that are the program's own, as V8 does. */
function formatOwn(_error: unknown, callSites: readonly CallSite[]): string {
  return callSites.filter(isOwn).map((site) => `    at ${site}`).join("\n");
}

/** Return whether a frame is the program's own: neither this library's nor Deno's. */
function isOwn(site: CallSite): boolean {
  const file = site.getScriptNameOrSourceURL();
  return !!file && file !== ENTRY && !file.startsWith(LIBRARY) &&
    !/^(ext|node):/.test(file);
}

/** Where the program's frames are on a stack. */
export interface Below {
  /** The function of this library below which they begin. Where it isn't on the stack, all frames are looked at. */
  readonly above: Caller;
  /** How many more frames of this library are there, most often. */
  readonly between?: number;
}

/** In the place of an address: the program's frames don't begin among these. */
const MORE_FRAMES = -1;

/** More frames of the library than are ever one on the other. */
const LIBRARY_FRAMES = 8;

/**
 * Return the address of the call stack of who called the library, with up to so many frames; 0 where there is none, or no stack is left to
 * find it out.
 */
export function captureCallStack(
  limit: number,
  { above, between = 0 }: Below,
): number {
  try {
    const key = capture(limit + between, above);
    const address = key === "" ? MORE_FRAMES : known.get(key);
    if (address === MORE_FRAMES) return captureMore(limit, above);
    if (address !== undefined) return address;
    const own = frames.filter(isOwn);
    if (own.length >= limit || frames.length < limit + between) {
      return remember(key, own.slice(0, limit));
    }
    known.set(key, MORE_FRAMES);
    return captureMore(limit, above);
  } catch {
    return 0;
  } finally {
    frames = [];
  }
}

/** Do the same where more frames of the library are on the stack than usual, or `above` isn't. */
function captureMore(limit: number, above: Caller): number {
  let key = capture(limit + LIBRARY_FRAMES, above);
  if (key === "") key = capture(limit + LIBRARY_FRAMES, captureCallStack);
  const address = known.get(key);
  // As many frames as were looked at before may be all that there are.
  if (address !== undefined && address !== MORE_FRAMES) return address;
  return remember(key, frames.filter(isOwn).slice(0, limit));
}

function remember(key: string, own: readonly CallSite[]): number {
  const address = own.length === 0
    ? 0
    : unwrapResult(napi.callStack(own.map(textOf).join(""))) as number;
  if (known.size >= MAX_CALL_STACKS) known.clear();
  known.set(key, address);
  return address;
}

/** Return a frame as native code takes it. */
function textOf(site: CallSite): string {
  const line = site.getLineNumber() ?? 0;
  return [pathOf(site.getScriptNameOrSourceURL()!), nameOf(site), line, ""]
    .map((field) => `${field}`.replaceAll("\0", "")).join("\0");
}

/** Return the name of a frame's function, a method's with its class. */
function nameOf(site: CallSite): string {
  const name = site.getFunctionName();
  if (!name) return "<anonymous>";
  const type = site.getTypeName();
  const isMethod = type && type !== "Object" && !name.startsWith(`${type}.`);
  return isMethod ? `${type}.${name}` : name;
}

/** Return the path of a file, by which Python's tools find its lines; another URL as it is. */
export function pathOf(file: string): string {
  if (!file.startsWith("file://")) return file;
  const { pathname } = new URL(file);
  const path = Deno.build.os === "windows" ? pathname.slice(1) : pathname;
  try {
    return decodeURIComponent(path);
  } catch {
    return path;
  }
}
