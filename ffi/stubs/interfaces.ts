/** The text of interfaces and their members. */

/**
 * What a class has to say of a member: nothing where it only inherits one. Python's classes change what they inherit as they like; an
 * interface may only add to it. So a method has its own signatures first, then those that it overrides; an attribute of another type is `PyAny`.
 */
export function mergedMember(
  own: readonly string[] | undefined,
  bases: readonly (readonly string[])[],
): string[] | undefined {
  const distinct = new Set(bases.map((it) => it.join("\n")));
  if (own === undefined && distinct.size <= 1) return undefined;
  const all = [...own ?? [], ...bases.flat()];
  if (distinct.size === 0 || all.every(isMethod)) return [...new Set(all)];
  if (
    own !== undefined && distinct.size === 1 && distinct.has(own.join("\n"))
  ) return undefined;
  const key = all[0].match(
    /^(?:\/\*\*.*?\*\/\s*)?(?:readonly )?("(?:[^"\\]|\\.)*"|\[[^\]]*\]|[^:(<]+)/s,
  )![1];
  return key.startsWith("[") ? [...new Set(all)] : [`${key}: PyAny;`];
}

function isMethod(line: string): boolean {
  return /^(?:\/\*\*.*?\*\/\s*)?(?:"(?:[^"\\]|\\.)*"|\[Symbol\.iterator\]|[\p{ID_Continue}$]*)[(<]/su
    .test(line);
}

/** An interface, within a namespace. */
export function interfaceText(
  name: string,
  bases: readonly string[],
  lines: readonly string[],
): string {
  const body = lines.map((line) => `    ${line}\n`).join("");
  return `  interface ${name} extends ${
    [...new Set(bases)].join(", ")
  } {\n${body}  }\n`;
}

/** What an object says about itself, as a comment in front of it; nothing where it says nothing. */
export function documented(said: string | null | undefined): string {
  return said ? `  /** ${said.replaceAll("*/", "* /")} */\n  ` : "";
}

/** Type parameters, as a declaration has them. */
export function typeParameters(names: readonly string[]): string {
  return names.length > 0
    ? `<${names.map((it) => `${it} = PyAny`).join(", ")}>`
    : "";
}

/** Type parameters, as they are used. */
export function typeArguments(names: readonly string[]): string {
  return names.length > 0 ? `<${names.join(", ")}>` : "";
}

/** Add the type parameters of a class to the signature of what makes its objects. */
export function withTypeParameters(
  signature: string,
  names: readonly string[],
): string {
  const own = signature.startsWith("<")
    ? signature.slice(1, signature.indexOf(">")).split(", ")
    : [];
  const all = new Set([...names.map((it) => `${it} = PyAny`), ...own]);
  return `<${[...all].join(", ")}>${signature.slice(signature.indexOf("("))}`;
}
