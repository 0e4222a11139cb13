/** A file of declarations of what the Python half has found. */

import type {
  AttributeMember,
  Class,
  FunctionMember,
  Member,
  Model,
  Module,
} from "./model.ts";
import {
  documented,
  interfaceText,
  mergedMember,
  typeArguments,
  typeParameters,
  withTypeParameters,
} from "./interfaces.ts";
import { identifier, path, property } from "./names.ts";
import { PRELUDE } from "./prelude.ts";
import { renderOutput, scalarOf, type Scope } from "./render_type.ts";
import { callSignatures, hasTypedResult } from "./signatures.ts";

/** What is known of the functions, methods and constructors of one package. */
export interface Coverage {
  /** The top package, or the module of a file. */
  readonly package: string;
  /** How many can be called. */
  callables: number;
  /** Of how many the parameters are known, by name. */
  parameters: number;
  /** Of how many something is known of what they return. */
  results: number;
}

/** A file of declarations, and what it knows. */
export interface Declarations {
  /** The text of the file. */
  readonly text: string;
  /** What is known, by package, in the order of their names. */
  readonly coverage: readonly Coverage[];
}

/** What a class has, its own and what it inherits: for each name the texts of the member. */
type Inherited = ReadonlyMap<string, readonly string[]>;

/** A base class: its type arguments, and itself, as they are written. */
interface Base {
  readonly id: string;
  readonly given: readonly string[];
  readonly text: string;
}

/** Write the declarations of a model for programs that import the library by `specifier`. */
export function declarations(model: Model, specifier: string): Declarations {
  return new Writer(model).write(specifier);
}

class Writer {
  readonly #model: Model;
  readonly #packages: ReadonlySet<string>;
  readonly #coverage = new Map<string, Coverage>();
  readonly #inherited = new Map<string, Inherited>();
  /** Public names of classes, by their namespaces: where they are found, beside where they are written. */
  readonly #blocks = new Map<string, string[]>();

  constructor(model: Model) {
    this.#model = model;
    const ids = [...Object.keys(model.modules), ...Object.keys(model.classes)];
    this.#packages = new Set(ids.map((id) => id.split(".")[0]));
  }

  write(specifier: string): Declarations {
    const { python, modules, classes } = this.#model;
    for (const id of sorted(modules)) this.#module(id, modules[id]);
    for (const id of sorted(classes)) this.#class(id, classes[id]);
    const versions = sorted(modules).filter((id) =>
      modules[id].version !== null
    )
      .map((id) => `${id} ${modules[id].version}`);
    const text = [
      `// Declarations of ${
        sorted(modules).filter((id) =>
          !id.includes(".") || !(parentOf(id) in modules)
        ).join(", ")
      } for Python ${python}, made by oneheap's stubs. Make them again rather than change them.`,
      ...(versions.length > 0 ? [`// ${versions.join(", ")}`] : []),
      "// deno-lint-ignore-file\n// deno-fmt-ignore-file",
      `import type { Kw, PyAny, PyArg, PyFloat, PyObjectRef, PyProxyMembers, Slice } from ${
        JSON.stringify(specifier)
      };\n`,
      `declare module ${
        JSON.stringify(specifier)
      } {\n  interface PyModules {\n${
        sorted(modules).map((id) =>
          `    ${JSON.stringify(id)}: ${path(id, this.#packages)}.$Module;\n`
        ).join("")
      }  }\n}\n`,
      PRELUDE,
      ...[...this.#blocks].sort(([a], [b]) => a < b ? -1 : 1).map((
        [name, declared],
      ) => `export declare namespace ${name} {\n${declared.join("")}}\n`),
    ].join("\n");
    return {
      text,
      coverage: [...this.#coverage.values()].sort((a, b) =>
        a.package < b.package ? -1 : 1
      ),
    };
  }

  #declare(namespace: string, text: string): void {
    const block = this.#blocks.get(namespace) ?? [];
    block.push(text);
    this.#blocks.set(namespace, block);
  }

  #scope(self: string, variables: readonly string[] = []): Scope {
    return {
      classes: this.#model.classes,
      packages: this.#packages,
      variables: new Map(variables.map((it) => [it, it])),
      self,
    };
  }

  #module(id: string, module: Module): void {
    const namespace = path(id, this.#packages);
    const scope = this.#scope("PyAny");
    const lines = sorted(module.members).flatMap((name) =>
      this.#member(id, name, module.members[name], scope)
    );
    if (module.open) lines.push("[name: string]: PyAny;");
    this.#declare(
      namespace,
      interfaceText("$Module", ["PyProxyMembers"], lines),
    );
    for (const name of sorted(module.members)) {
      const member = module.members[name];
      if (member.kind !== "class" || member.id === `${id}.${name}`) continue;
      if (!(member.id in this.#model.classes)) continue;
      if (`${id}.${name}` in this.#model.classes) continue;
      if (scalarOf(member.id) !== undefined) continue;
      const { parameters } = this.#model.classes[member.id];
      this.#declare(
        namespace,
        `  type ${identifier(name)}${typeParameters(parameters)} = ${
          path(member.id, this.#packages)
        }${typeArguments(parameters)};\n`,
      );
    }
  }

  #class(id: string, described: Class): void {
    const namespace = path(parentOf(id), this.#packages);
    const name = lastOf(path(id, this.#packages));
    const { parameters } = described;
    const own = this.#ownMembers(id, described);
    const bases = this.#baseClasses(described);
    const lines = [...own.values()].flat();
    if (described.open) lines.push("[name: string]: PyAny;");
    const extended = bases.map(({ text }) => text);
    this.#declare(namespace, this.#classObject(id, name, described));
    if (scalarOf(id) !== undefined) return;
    this.#declare(
      namespace,
      documented(described.documentation) +
        interfaceText(
          `${name}${typeParameters(parameters)}`,
          extended.length > 0 ? extended : ["PyProxyMembers<PyAny>"],
          lines,
        ),
    );
  }

  /** The class as a value: what it makes, and what is called by its name. */
  #classObject(id: string, name: string, described: Class): string {
    const { parameters } = described;
    const instance = `${path(id, this.#packages)}${typeArguments(parameters)}`;
    const scope = this.#scope(instance, parameters);
    const made = this.#constructorOf(id);
    this.#count(id, made, true);
    const calls = callSignatures(made, scope, scalarOf(id) ?? instance).map((
      it,
    ) => parameters.length === 0 ? it : withTypeParameters(it, parameters));
    const members = this.#staticMembers(id);
    const lines = calls.map((it) => `${it};`);
    for (const member of sorted(members)) {
      lines.push(
        ...this.#member(
          undefined,
          member,
          members[member],
          this.#scope(path(id, this.#packages)),
        ),
      );
    }
    if (described.enumeration) {
      lines.push(`[Symbol.iterator](): Iterator<${instance}>;`);
    }
    return interfaceText(`${name}$Class`, ["PyProxyMembers"], [
      ...lines,
      ...(described.open ? ["[name: string]: PyAny;"] : []),
    ]);
  }

  #constructorOf(id: string, seen: readonly string[] = []): FunctionMember {
    const known = this.#model.classes[id];
    // An object has a property of that name by itself.
    if (known !== undefined && Object.hasOwn(known, "constructor")) {
      return known.constructor as unknown as FunctionMember;
    }
    const bases = known?.bases ?? [];
    for (const base of bases) {
      if (base.kind !== "class" || seen.includes(base.id)) continue;
      const found = this.#constructorOf(base.id, [...seen, id]);
      if (found.signatures.length > 0) return found;
    }
    const none = known === undefined || bases.length > 0;
    return {
      kind: "function",
      signatures: none
        ? []
        : [{ parameters: [], result: { kind: "any" }, bound: false }],
    };
  }

  /** The members that belong to the class itself, inherited ones first. */
  #staticMembers(
    id: string,
    seen: readonly string[] = [],
  ): Record<string, Member> {
    const described = this.#model.classes[id];
    const members: Record<string, Member> = Object.create(null);
    if (described === undefined || seen.includes(id)) return members;
    for (const base of [...described.bases].reverse()) {
      if (base.kind !== "class") continue;
      Object.assign(members, this.#staticMembers(base.id, [...seen, id]));
    }
    for (const [name, member] of Object.entries(described.members)) {
      if ("static" in member && member.static) members[name] = member;
      else delete members[name];
    }
    return members;
  }

  /** The bases for which there are declarations. The scalars of NumPy's have none: their objects come as values. */
  #baseClasses(described: Class): Base[] {
    const scope = this.#scope("this", described.parameters);
    return described.bases.flatMap((base) => {
      if (base.kind !== "class" || scalarOf(base.id) !== undefined) return [];
      const known = this.#model.classes[base.id];
      if (known === undefined) return [];
      const given = base.arguments.slice(0, known.parameters.length)
        .map((it) => renderOutput(it, scope));
      const name = path(base.id, this.#packages);
      const text = given.length > 0 ? `${name}<${given.join(", ")}>` : name;
      return [{ id: base.id, given, text }];
    });
  }

  /** What the interface of a class says itself: its own members, and those on which its bases differ. */
  #ownMembers(id: string, described: Class): Map<string, string[]> {
    const scope = this.#scope("this", described.parameters);
    const own = new Map<string, string[]>();
    for (const name of sorted(described.members)) {
      own.set(name, this.#member(id, name, described.members[name], scope));
    }
    if (described.call !== undefined) {
      own.set(
        "$call()",
        callSignatures(described.call, scope).map((it) => `${it};`),
      );
    }
    if (described.iterator !== undefined) {
      own.set("$iterator", [
        `[Symbol.iterator](): Iterator<${this.#elementOf(described, scope)}>;`,
      ]);
    }
    if (described.item !== undefined) {
      own.set("$index", ["[index: number]: PyAny;"]);
    }
    const bases = this.#baseClasses(described).map((it) =>
      this.#inheritedFrom(it)
    );
    const names = new Set([
      ...own.keys(),
      ...bases.flatMap((it) => [...it.keys()]),
    ]);
    for (const name of names) {
      const texts = bases.flatMap((it) => it.has(name) ? [it.get(name)!] : []);
      const merged = mergedMember(own.get(name), texts);
      if (merged === undefined) own.delete(name);
      else own.set(name, merged);
    }
    this.#inherited.set(
      id,
      new Map([...bases.flatMap((it) => [...it]), ...own]),
    );
    return own;
  }

  /** What a class inherits of a base: in it the base's type parameters are what the class says that they are. */
  #inheritedFrom({ id, given }: Base): Inherited {
    const { parameters } = this.#model.classes[id];
    const members = this.#allMembers(id);
    if (parameters.length === 0) return members;
    const words = new RegExp(`\\b(?:${parameters.join("|")})\\b(?![?:(])`, "g");
    const meant = (word: string) => given[parameters.indexOf(word)] ?? "PyAny";
    return new Map(
      [...members].map(([name, lines]) => [
        name,
        lines.map((line) => line.replace(words, meant)),
      ]),
    );
  }

  #allMembers(id: string): Inherited {
    const known = this.#inherited.get(id);
    if (known !== undefined) return known;
    // Ends where a class is its own base, which a stub may say of two that import each other.
    this.#inherited.set(id, new Map());
    this.#ownMembers(id, this.#model.classes[id]);
    return this.#inherited.get(id)!;
  }

  #elementOf(described: Class, scope: Scope): string {
    const result = described.iterator?.signatures[0]?.result;
    if (result?.kind !== "foreign" || result.arguments.length === 0) {
      return "PyAny";
    }
    return renderOutput(result.arguments[0], scope);
  }

  /** The lines of a member. Of whose it is, is given where it is to be counted. */
  #member(
    owner: string | undefined,
    name: string,
    member: Member,
    scope: Scope,
  ): string[] {
    const key = property(name);
    switch (member.kind) {
      case "module":
        return [`readonly ${key}: ${path(member.id, this.#packages)}.$Module;`];
      case "class":
        return [
          member.id in this.#model.classes
            ? `readonly ${key}: ${path(member.id, this.#packages)}$Class;`
            : `readonly ${key}: PyAny;`,
        ];
      case "attribute":
        return [attributeLine(key, member, scope)];
      case "function": {
        if (owner !== undefined) {
          this.#count(owner, member, hasTypedResult(member, scope));
        }
        const lines = callSignatures(member, scope).map((it) => `${key}${it};`);
        lines[0] = documented(member.documentation).trimStart() + lines[0];
        return lines;
      }
    }
  }

  #counted = new Set<FunctionMember>();

  #count(id: string, member: FunctionMember, hasResult: boolean): void {
    if (this.#counted.has(member)) return;
    this.#counted.add(member);
    const name = id.split(".")[0];
    const coverage = this.#coverage.get(name) ??
      { package: name, callables: 0, parameters: 0, results: 0 };
    coverage.callables++;
    if (member.signatures.length > 0) coverage.parameters++;
    if (hasResult) coverage.results++;
    this.#coverage.set(name, coverage);
  }
}

function attributeLine(
  key: string,
  { type, writable, documentation }: AttributeMember,
  scope: Scope,
): string {
  const rendered = renderOutput(type, scope);
  const note = documented(documentation).trimStart();
  return `${note}${writable ? "" : "readonly "}${key}: ${rendered};`;
}

function sorted(record: Readonly<Record<string, unknown>>): string[] {
  return Object.keys(record).sort();
}

function parentOf(id: string): string {
  return id.slice(0, id.lastIndexOf("."));
}

function lastOf(name: string): string {
  return name.slice(name.lastIndexOf(".") + 1);
}
