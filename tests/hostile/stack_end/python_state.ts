/** What the cases ask Python for, and what they look at there. */

import { FREES_FUNCTIONS } from "../../support/build.ts";
import { type PyObjectRef, python, PythonScope, raw } from "../../../mod.ts";

const SOURCE = `
import gc, sys, tracemalloc

runs = 0

def ran(result=None):
    global runs
    runs += 1
    return result

class Thing:
    alive = 0
    def __init__(self, value=None):
        Thing.alive += 1
        self.value = value
    def __del__(self):
        Thing.alive -= 1
    def __call__(self, *arguments):
        ran()
        return len(arguments)
    def __str__(self):
        return "a thing"
    @property
    def counted(self):
        return ran(7)

def fail(*arguments):
    ran()
    raise ValueError("on purpose")

def traced():
    return tracemalloc.get_traced_memory()[0]

refcount = sys.getrefcount
`;

/** The scope in which the cases' code runs. */
export const scope = new PythonScope();
python.run(SOURCE, { scope });

const { symbols } = Deno.dlopen(python.library, {
  PyGILState_Check: { parameters: [], result: "i32" },
});

/** Whether this thread is attached to Python. */
export function isAttached(): boolean {
  return symbols.PyGILState_Check() === 1;
}

/** How often code of the cases has run. */
export function runs(): number {
  return python.eval("runs", { scope }) as number;
}

/** How many objects of the cases' class are alive. */
export function thingsAlive(): number {
  return python.eval("Thing.alive", { scope }) as number;
}

/** A new object of the cases' class. */
export function makeThing(): PyObjectRef {
  return python.eval("Thing(1)", { scope }) as PyObjectRef;
}

const refcount = functionOf("refcount");

/** How many references there are to an object, and some constant number of the asking call's own. */
export function referencesTo(object: PyObjectRef): number {
  return refcount.call(object) as number;
}

/** A function of the cases' scope. */
export function functionOf(name: string): PyObjectRef {
  return scope.get(name) as PyObjectRef;
}

/** Frees that wait for an attached thread are done in portions, so many of them at most. */
const MAX_PORTIONS = 100;

/** How many blocks of memory Python has; 0 where its allocator doesn't count, or where Python keeps functions and modules for good. */
export function blocksInPython(): number {
  if (!FREES_FUNCTIONS) return 0;
  for (let portion = 0; portion < MAX_PORTIONS; portion++) {
    raw.free(raw.malloc(16));
  }
  python.run("gc.collect()", { scope });
  return python.eval("sys.getallocatedblocks()", { scope }) as number;
}
