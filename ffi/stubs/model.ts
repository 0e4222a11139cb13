/** What the Python half finds of modules and classes: `members.py` makes it. */

/** The type of a parameter, a result or an attribute. */
export type Type =
  | { readonly kind: "any" | "none" | "self" | "never" | "protocol" }
  | { readonly kind: "union" | "tuple"; readonly members: readonly Type[] }
  | { readonly kind: "literal"; readonly value: string | number | boolean }
  | { readonly kind: "variable"; readonly name: string; readonly bound: Type }
  | {
    /** A class for which there are declarations, or that of a package without. */
    readonly kind: "class";
    readonly id: string;
    readonly arguments: readonly Type[];
  }
  | {
    /** What another package has, the standard library above all: the name is without the modules of types. */
    readonly kind: "foreign";
    readonly name: string;
    readonly arguments: readonly Type[];
  };

/** A parameter of a function. */
export interface Parameter {
  readonly name: string;
  readonly kind: "positional" | "either" | "rest" | "keyword" | "keywords";
  readonly optional: boolean;
  readonly type: Type;
}

/** One way to call a function. */
export interface Signature {
  readonly parameters: readonly Parameter[];
  readonly result: Type;
  /** Whether it is for some types of `self` alone. */
  readonly bound: boolean;
}

/** A function; it has no signatures where none could be found. */
export interface FunctionMember {
  readonly kind: "function";
  readonly signatures: readonly Signature[];
  readonly static?: boolean;
  readonly documentation?: string | null;
}

/** An attribute that is read. */
export interface AttributeMember {
  readonly kind: "attribute";
  readonly type: Type;
  readonly writable?: boolean;
  readonly static?: boolean;
  readonly documentation?: string | null;
}

/** What a module or a class has under a name. */
export type Member =
  | FunctionMember
  | AttributeMember
  | { readonly kind: "class" | "module"; readonly id: string };

/** A module. */
export interface Module {
  readonly members: Readonly<Record<string, Member>>;
  /** Whether it may have any name besides. */
  readonly open: boolean;
  readonly version: string | null;
}

/** A class. */
export interface Class {
  readonly bases: readonly Type[];
  /** The names of its type parameters. */
  readonly parameters: readonly string[];
  readonly members: Readonly<Record<string, Member>>;
  /** Whether its objects may have any name besides. */
  readonly open: boolean;
  /** Whether it is an enumeration: the class itself goes through its members. */
  readonly enumeration: boolean;
  readonly documentation?: string | null;
  readonly constructor?: FunctionMember;
  readonly call?: FunctionMember;
  readonly iterator?: FunctionMember;
  readonly item?: FunctionMember;
}

/** All that declarations are made of. */
export interface Model {
  readonly python: string;
  readonly modules: Readonly<Record<string, Module>>;
  readonly classes: Readonly<Record<string, Class>>;
}
