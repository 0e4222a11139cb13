/** The types of Python's own containers, which every file of declarations begins with. */

/** The name of their namespace: no name of Python's has a `$`. */
export const PRELUDE_NAMESPACE = "$types";

/** What stands before the declarations of modules. */
export const PRELUDE = `\
/** Python's own containers, and what the declarations below are made of. */
export declare namespace ${PRELUDE_NAMESPACE} {
  /** What \`$js()\` makes of a value. */
  type Plain<T> = T extends PyProxyMembers<infer Data> ? Data : T;

  /** What comes back of a value that went into Python: containers come as proxies. */
  type Returned<T> = T extends string | number | bigint | boolean | null | PyProxyMembers ? T : PyAny;

  /** A reference to any object of Python's. */
  type Reference = PyObjectRef | PyProxyMembers;

  /** What Python can call. */
  type Callable = Reference | ((...values: PyAny[]) => unknown);

  /** A class of whose objects nothing is known. */
  type Class = Reference | ((...values: PyAny[]) => PyAny);

  /**
   * Arguments that have their places \`P\`, and the names of \`K\`: the last that is given may be the keywords, in whatever place
   * that is.
   */
  type Optional<P extends readonly unknown[], K extends object> = [
    ...{ [Index in keyof P]?: P[Index] | Kw<K> },
    keywords?: Kw<K>,
  ];

  /** Whatever is gone through once. */
  interface Iterable<T = PyAny> extends PyProxyMembers<PyAny> {
    [Symbol.iterator](): Iterator<T>;
  }

  /** A \`list\` or another sequence. */
  interface List<T = PyAny> extends PyProxyMembers<Plain<T>[]> {
    [index: number]: T;
    [Symbol.iterator](): Iterator<T>;
    $item(key: number): T;
    $item(key: PyArg | Slice): PyAny;
    append(object: PyArg): null;
    clear(): null;
    copy(): List<T>;
    count(value: PyArg): number;
    extend(iterable: PyArg): null;
    index(value: PyArg, start?: number, stop?: number): number;
    insert(index: number, object: PyArg): null;
    pop(index?: number): T;
    remove(value: PyArg): null;
    reverse(): null;
    sort(keywords?: Kw<{ key?: Callable | null; reverse?: boolean }>): null;
  }

  /** A \`tuple\`: its elements have types of their own. */
  type Tuple<T extends readonly unknown[]> =
    & PyProxyMembers<{ -readonly [Index in keyof T]: Plain<T[Index]> }>
    & Pick<T, Extract<keyof T, \`\${number}\`>>
    & {
      readonly [index: number]: T[number];
      [Symbol.iterator](): Iterator<T[number]>;
      count(value: PyArg): number;
      index(value: PyArg, start?: number, stop?: number): number;
    };

  /** A \`dict\` or another mapping. */
  interface Dict<K = PyAny, V = PyAny> extends
    PyProxyMembers<K extends string ? Record<K, Plain<V>> : PyAny> {
    [Symbol.iterator](): Iterator<K>;
    $item(key: PyArg | Slice): V;
    clear(): null;
    copy(): Dict<K, V>;
    get(key: PyArg): V | null;
    get<D>(key: PyArg, otherwise: D): V | D;
    items(): Iterable<Tuple<[K, V]>>;
    keys(): Iterable<K>;
    pop(key: PyArg, otherwise?: PyArg): V;
    popitem(): Tuple<[K, V]>;
    setdefault(key: PyArg, value?: PyArg): V;
    update(...values: (PyArg | Kw<object>)[]): null;
    values(): Iterable<V>;
  }

  /** A \`set\` or \`frozenset\`. */
  interface Set<T = PyAny> extends PyProxyMembers<globalThis.Set<Plain<T>>> {
    [Symbol.iterator](): Iterator<T>;
    add(element: PyArg): null;
    clear(): null;
    copy(): Set<T>;
    difference(...others: PyArg[]): Set<T>;
    discard(element: PyArg): null;
    intersection(...others: PyArg[]): Set<T>;
    isdisjoint(other: PyArg): boolean;
    issubset(other: PyArg): boolean;
    issuperset(other: PyArg): boolean;
    pop(): T;
    remove(element: PyArg): null;
    symmetric_difference(other: PyArg): Set<T>;
    union(...others: PyArg[]): Set<T>;
    update(...others: PyArg[]): null;
  }
}
`;
