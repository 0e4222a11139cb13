/** Python's side of the benchmarks: arrays by NumPy where it is there, else by what comes with Python. */

import { type PyObjectRef, python, PythonScope } from "../../mod.ts";

const scope = new PythonScope();

python.run(
  `
  from itertools import repeat

  try:
      import numpy
  except ImportError:
      import mmap
      numpy_version = None
      show = memoryview
      def doubles(count):
          return memoryview(mmap.mmap(-1, 8 * count)).cast("d")
      def from_bytes(data):
          return memoryview(data).cast("d")
  else:
      numpy_version = numpy.__version__
      show = numpy.asarray
      doubles = numpy.zeros
      from_bytes = numpy.frombuffer

  def address(array):
      import ctypes
      return ctypes.addressof(ctypes.c_char.from_buffer(array))

  one_plus_one = compile("1+1", "<benchmark>", "eval")

  def evaluate_many(times, eval=eval, code=one_plus_one):
      for _ in repeat(None, times):
          eval(code, {})

  def none():
      return None

  def call_many(times, none=none):
      for _ in repeat(None, times):
          none()
  `,
  { scope },
);

/** NumPy's version; none where it can't be imported. */
export const numpyVersion = scope.get("numpy_version") as string | null;

/** What arrays over memory are made by: `numpy.asarray` or `memoryview`. */
export const show = functionOf("show");

/** Makes an array of so many doubles in Python, all zero. */
export const doubles = functionOf("doubles");

/** Makes an array of doubles over `bytes`. */
export const fromBytes = functionOf("from_bytes");

/** Where an array is. */
export const address = functionOf("address");

/** Has Python evaluate the compiled expression `1+1` so many times, each in a fresh scope, as `python.eval` does. */
export const evaluateMany = functionOf("evaluate_many");

/** A function that returns None. */
export const none = functionOf("none");

/** Has Python call that function so many times. */
export const callMany = functionOf("call_many");

function functionOf(name: string): PyObjectRef {
  return scope.get(name) as PyObjectRef;
}
