/** How objects of Python's show in a notebook. Finding that out runs Python code, so that a higher layer defines it. */

/** What a notebook may show of an object, by media types: HTML and other text as it is, pictures in base64. */
export type MediaBundle = Record<string, unknown>;

/** The name by which a notebook asks an object what it is shown as. */
export const DISPLAY: unique symbol = Symbol.for("Jupyter.display") as never;

let bundleOf: (reference: ArrayBuffer) => MediaBundle;

/** Define how bundles are made. */
export function defineMediaBundles(
  make: (reference: ArrayBuffer) => MediaBundle,
): void {
  bundleOf = make;
}

/** Return what a notebook may show of the object of an internal reference. */
export function mediaBundleOf(reference: ArrayBuffer): MediaBundle {
  return bundleOf(reference);
}
