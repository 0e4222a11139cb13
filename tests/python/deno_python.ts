/**
 * A stand-in for deno_python, which the tests can't download: what it does with Python, in words of our own. It opens libpython
 * by `Deno.dlopen`, starts Python on JavaScript's thread and leaves that attached for good, calls Python as if it always were, and
 * releases lost objects by a `FinalizationRegistry`.
 */

/** `RTLD_LAZY | RTLD_GLOBAL` on Linux. */
const GLOBALLY = 0x101;

const path = Deno.env.get("DENO_PYTHON_PATH")!;

const { symbols: py } = Deno.dlopen(path, {
  Py_Initialize: { parameters: [], result: "void" },
  Py_IncRef: { parameters: ["pointer"], result: "void" },
  Py_DecRef: { parameters: ["pointer"], result: "void" },
  PyRun_SimpleString: { parameters: ["buffer"], result: "i32" },
  PyImport_ImportModule: { parameters: ["buffer"], result: "pointer" },
  PyObject_GetAttrString: {
    parameters: ["pointer", "buffer"],
    result: "pointer",
  },
  PyObject_Call: {
    parameters: ["pointer", "pointer", "pointer"],
    result: "pointer",
  },
  PyTuple_New: { parameters: ["i32"], result: "pointer" },
  PyTuple_SetItem: { parameters: ["pointer", "i32", "pointer"], result: "i32" },
  PyList_New: { parameters: ["i32"], result: "pointer" },
  PyList_SetItem: { parameters: ["pointer", "i32", "pointer"], result: "i32" },
  PyFloat_FromDouble: { parameters: ["f64"], result: "pointer" },
  PyFloat_AsDouble: { parameters: ["pointer"], result: "f64" },
});

// So that extension modules find Python's symbols.
Deno.dlopen("libc.so.6", {
  dlopen: { parameters: ["buffer", "i32"], result: "pointer" },
}).symbols.dlopen(cString(path), GLOBALLY);

const registry = new FinalizationRegistry(py.Py_DecRef);

py.Py_Initialize();

/** By this, a proxy of an object tells the object; here, which has no proxies, an object tells itself. */
export const ProxiedPyObject = Symbol();

/** A Python object. */
export class PyObject {
  constructor(readonly handle: Deno.PointerValue) {}

  get [ProxiedPyObject](): PyObject {
    return this;
  }

  /** Takes a reference more, which is released when this object is collected. */
  get owned(): PyObject {
    py.Py_IncRef(this.handle);
    registry.register(this, this.handle);
    return this;
  }

  /** An attribute. The reference that Python gives is never released. */
  attribute(name: string): PyObject {
    return new PyObject(py.PyObject_GetAttrString(this.handle, cString(name)));
  }

  /** Calls the object with one argument. The tuple takes over the reference that `owned` takes. */
  call(argument: PyObject): PyObject {
    const args = py.PyTuple_New(1);
    py.PyTuple_SetItem(args, 0, argument.owned.handle);
    const result = new PyObject(py.PyObject_Call(this.handle, args, null));
    py.Py_DecRef(args);
    return result;
  }

  /** A `float` as a number. */
  valueOf(): number {
    return py.PyFloat_AsDouble(this.handle);
  }
}

/** Python. */
export const python = {
  run(statements: string): void {
    if (py.PyRun_SimpleString(cString(statements)) !== 0) {
      throw new Error("Python raised an exception, printed above");
    }
  },
  import(name: string): PyObject {
    return new PyObject(py.PyImport_ImportModule(cString(name)));
  },
  list(numbers: number[]): PyObject {
    const list = py.PyList_New(numbers.length);
    numbers.forEach((number, index) => {
      const element = new PyObject(py.PyFloat_FromDouble(number));
      py.PyList_SetItem(list, index, element.owned.handle);
    });
    return new PyObject(list);
  },
};

function cString(text: string): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(text + "\0");
}
