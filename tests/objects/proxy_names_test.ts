/** Names that JavaScript, this library and Python all use, and objects whose attributes are not what they seem. */

import {
  assert,
  assertEquals,
  assertStrictEquals,
  assertThrows,
} from "@std/assert";
import { py, python, PythonError } from "../../mod.ts";
import { assertRaises } from "./fluent_cases.ts";

/** A module with what the tests use. */
function fixture(source: string) {
  return python.module(source);
}

/** The names that every object of JavaScript's has, and those that it looks for. */
const NAMES = [
  "constructor",
  "toString",
  "toLocaleString",
  "valueOf",
  "hasOwnProperty",
  "isPrototypeOf",
  "propertyIsEnumerable",
  "__proto__",
  "__defineGetter__",
  "length",
  "name",
  "prototype",
  "caller",
  "arguments",
  "apply",
  "call",
  "bind",
];

Deno.test("an attribute that is named as one of JavaScript's is Python's", () => {
  using made = fixture(`
    class Anything: pass
    def function(): pass
  `);
  for (const target of [made.Anything(), made.function]) {
    for (const name of NAMES) {
      target[name] = name.toUpperCase();
      assertEquals(target[name], name.toUpperCase());
      assertEquals(target.$ref.get(name), name.toUpperCase());
      assert(name in target);
      assert(delete target[name]);
      assertRaises("AttributeError", () => target.$ref.get(name));
    }
  }
});

Deno.test("what JavaScript's objects have is there where Python has no such attribute", () => {
  for (const target of [py`[1]`, python.builtins.len]) {
    assertEquals(target.constructor, undefined);
    assertEquals(target.toString(), `${target}`);
    assertEquals(target.toLocaleString(), `${target}`);
    assert(target.valueOf().$is(target));
    for (const name of ["length", "prototype", "hasOwnProperty"]) {
      assertRaises("AttributeError", () => target[name]);
    }
  }
});

Deno.test("await and JSON ask for then and toJSON, which are never Python's", async () => {
  using made = fixture(`
    class Promising:
        def then(self, *_): raise AssertionError
        def toJSON(self): raise AssertionError
    promising = Promising()
    promising.then = promising.then
  `);
  const { promising } = made;
  assertEquals(promising.then, undefined);
  assertStrictEquals(await promising, promising);
  assertEquals(promising.$ref.has("then"), true);
  assertThrows(() => JSON.stringify(promising), TypeError, "Promising");
});

Deno.test("items of dicts are reached whatever their keys are", () => {
  const names = [...NAMES, "$js", "then", "toJSON", "0", "-1", "append", ""];
  const dict = python.builtins.dict();
  for (const name of names) dict.$set(name, [name]);
  for (const name of names) {
    assert(dict.$has(name));
    assertEquals(dict.$item(name).$js(), [name]);
  }
  const data = dict.$js();
  assertEquals(Object.keys(data).toSorted(), names.toSorted());
  assertEquals(Object.getPrototypeOf(data), Object.prototype);
  assertEquals(data["__proto__"], ["__proto__"]);
});

Deno.test("numeric attributes are reached by the reference, items by the proxy", () => {
  using made = fixture(`
    class Numbered:
        def __getitem__(self, key): return ["item", key]
        def __setitem__(self, key, value): self.last = [key, value]
    numbered = Numbered()
    setattr(numbered, "0", "attribute")
  `);
  const { numbered } = made;
  assertEquals(numbered[0].$js(), ["item", 0]);
  assertEquals(numbered.$ref.get("0"), "attribute");
  numbered[-3] = "x";
  assertEquals(numbered.last.$js(), [-3, "x"]);
  assertEquals(numbered[`${2n ** 60n}`].$js(), ["item", 2n ** 60n]);
});

Deno.test("the empty name and names of any characters are asked for in Python", () => {
  using made = fixture("class Any: pass");
  const any = made.Any();
  for (const name of ["", "größe", "a b", "😀", "\ud800", "a\0b"]) {
    any[name] = 1;
    assertEquals(any[name], 1);
    assertEquals(any.$ref.get(name), 1);
  }
});

Deno.test("objects that answer everything are asked for no more than is said", () => {
  const mock = python.import("unittest.mock").MagicMock();
  assertEquals(typeof mock, "function");
  assertEquals(mock.then, undefined);
  assertEquals(mock.anything.at.all().$type, "unittest.mock.MagicMock");
  assertEquals(mock.$type, "unittest.mock.MagicMock");
  mock.method.return_value = 5;
  assertEquals(mock.method(1), 5);
  mock.method.assert_called_once_with(1);
  assertEquals([...mock], []);
  assertEquals(mock.toString.$type, "unittest.mock.MagicMock");
  assert(`${mock}`.includes("MagicMock"));
  assertEquals(mock[0].$type, "unittest.mock.MagicMock");
  using made = fixture(`
    asked = []
    class Answering:
        def __getattr__(self, name):
            asked.append(name)
            return name
    answering = Answering()
  `);
  const { answering } = made;
  assertEquals(answering.anything, "anything");
  assertEquals(answering.then, undefined);
  assertEquals(made.asked.$js(), ["anything"]);
  Deno.inspect(answering);
});

Deno.test("objects whose attributes raise say so, and can be used all the same", () => {
  using made = fixture(`
    class Refusing:
        def __getattr__(self, name): raise RuntimeError(name)
        def __str__(self): raise ValueError("no text")
        __repr__ = __str__
        def __len__(self): raise OSError("no length")
        def __iter__(self): raise KeyError("no elements")
        def __contains__(self, value): raise LookupError("unknown")
        def __getitem__(self, key): raise SystemExit(3)
        def __call__(self): raise KeyboardInterrupt
        def __eq__(self, other): raise ArithmeticError
        __hash__ = None
    refusing = Refusing()
  `);
  const { refusing } = made;
  assertEquals(assertRaises("RuntimeError", () => refusing.x).message, "x");
  assertRaises("RuntimeError", () => "x" in refusing);
  assertRaises("RuntimeError", () => refusing.toString);
  assertRaises("ValueError", () => `${refusing}`);
  assertRaises("OSError", () => refusing.$len);
  assertRaises("KeyError", () => [...refusing]);
  assertRaises("LookupError", () => refusing.$has(1));
  assertRaises("SystemExit", () => refusing[0]);
  assertRaises("SystemExit", () => 0 in refusing);
  assertRaises("KeyboardInterrupt", () => refusing());
  assert(refusing.$is(refusing));
  assert(Deno.inspect(refusing).includes("raises"));
  assertEquals(python.ref(refusing).has("__len__"), true);
});

Deno.test("classes with slots, properties and metaclasses are what Python has", () => {
  using made = fixture(`
    class Slotted:
        __slots__ = "x",
    class Meta(type):
        def __getattr__(cls, name): return f"{cls.__name__}.{name}"
        def __call__(cls, *given): return [cls.__name__, *given]
        def __getitem__(cls, key): return key
        def __instancecheck__(cls, value): return value == [1]
        def __contains__(cls, value): return value == 1
        def __iter__(cls): return iter("ab")
        def __len__(cls): return 7
    class Made(metaclass=Meta): pass
    class Computed:
        def __init__(self): self._value = 1
        @property
        def value(self): return self._value
        @value.setter
        def value(self, value): self._value = value * 2
        @value.deleter
        def value(self): self._value = None
  `);
  const slotted = made.Slotted();
  assertRaises("AttributeError", () => slotted.x);
  slotted.x = 1;
  assertEquals(slotted.x, 1);
  assertRaises("AttributeError", () => slotted.y = 1);
  const { Made } = made;
  assertEquals(Made.anything, "Made.anything");
  assertEquals(Made(1, 2).$js(), ["Made", 1, 2]);
  assertEquals([Made[3], Made.$len, Made.$has(1)], [3, 7, true]);
  assertEquals([...Made], ["a", "b"]);
  assert(py`[1]` instanceof Made && !(py`[2]` instanceof Made));
  const computed = made.Computed();
  computed.value = 3;
  assertEquals(computed.value, 6);
  delete computed.value;
  assertEquals(computed.value, null);
});

Deno.test("lazy attributes of modules are made when they are read", () => {
  using made = fixture(`
    made = []
    def __getattr__(name):
        if name == "absent": raise AttributeError(name)
        made.append(name)
        return [name]
    def __dir__(): return ["lazy"]
  `);
  assertEquals(made.made.$len, 0);
  assertEquals(made.lazy.$js(), ["lazy"]);
  assertEquals(made.made.$js(), ["lazy"]);
  assertRaises("AttributeError", () => made.absent);
  assertEquals(python.builtins.dir(made).$js(), ["lazy"]);
  assertEquals(made.then, undefined);
  assertEquals(made.made.$js(), ["lazy"]);
});

Deno.test("a Proxy of a program's is no proxy, whatever it answers", () => {
  const list = py`[1]`;
  const { len } = python.builtins;
  const asked: PropertyKey[] = [];
  const spy = new Proxy({}, {
    get: (_, name) => {
      asked.push(name);
      return undefined;
    },
  });
  assertThrows(() => python.ref(spy as never), TypeError);
  assertThrows(() => len(new Proxy(() => {}, {})), TypeError);
  // What it was asked for is of no use to it but to ask a proxy that it has.
  const [key] = asked;
  assertEquals(list[key as never], undefined);
  const relaying = new Proxy({}, { get: (_, name) => list[name as never] });
  assertEquals(len(relaying), 1);
  const throwing = new Proxy({}, {
    get: () => {
      throw new Error("asked");
    },
  });
  assertThrows(() => len(throwing), Error, "asked");
  assertEquals(len([1]), 1);
});

Deno.test("a proxy that is freed while it is passed is an error, not a crash", () => {
  const { list } = python.builtins;
  const doomed = list([1]);
  const freeing = {
    get now() {
      doomed[Symbol.dispose]();
      return 1;
    },
  };
  assertThrows(() => list([doomed, freeing]), Error, "disposed");
  const target = list([1]);
  const endsTarget = new Proxy({}, {
    get: () => {
      target[Symbol.dispose]();
      return undefined;
    },
    ownKeys: () => [],
  });
  try {
    target.extend(endsTarget);
  } catch (error) {
    assert(error instanceof Error);
  }
  assertEquals(list([2]).$js(), [2]);
});

Deno.test("errors of proxies have the line that used them", () => {
  const list = py`[]`;
  const error = assertThrows(() => list.nothing, PythonError);
  assert(error.stack!.includes("proxy_names_test.ts"));
});
