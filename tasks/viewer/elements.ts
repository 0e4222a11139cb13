/** Making elements. What programs are called is text, never markup. */

/** Make an element with some properties and some children. */
export function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  properties: Partial<Omit<HTMLElementTagNameMap[Name], "attributes">> & {
    attributes?: Record<string, string | undefined>;
  } = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[Name] {
  const { attributes, ...rest } = properties;
  const made = Object.assign(document.createElement(name), rest);
  for (const [key, value] of Object.entries(attributes ?? {})) {
    if (value !== undefined) made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
}

/** What is shown where there is nothing to show. */
export function empty(text: string): HTMLElement {
  return element("p", { className: "empty" }, text);
}
