/** Python's names as TypeScript writes them. */

/** The words that TypeScript gives a meaning where a name is declared, and the names of its own types. */
const RESERVED = new Set(
  ("any arguments as async await bigint boolean break case catch class const continue debugger declare default delete do else " +
    "enum eval export extends false finally for function if implements import in infer instanceof interface is keyof let module " +
    "namespace never new null number object package private protected public readonly require return static string super switch " +
    "symbol this throw true try type typeof undefined unique unknown using var void while with yield")
    .split(" "),
);

const IDENTIFIER = /^[\p{ID_Start}_$][\p{ID_Continue}$]*$/u;

/** A name of a declaration: a `$` makes another word of one that TypeScript reserves. */
export function identifier(name: string): string {
  return RESERVED.has(name) ? `${name}$` : name;
}

/** A name of a member, in quotes where it could be read as something else. */
export function property(name: string): string {
  return IDENTIFIER.test(name) && !RESERVED.has(name)
    ? name
    : JSON.stringify(name);
}

/** The path of a class or a module, as a type is written. No part below the first is the name of a package, which it would hide. */
export function path(id: string, packages: ReadonlySet<string>): string {
  const [first, ...rest] = id.split(".");
  return [
    identifier(first),
    ...rest.map((part) => packages.has(part) ? `${part}$` : identifier(part)),
  ].join(".");
}
