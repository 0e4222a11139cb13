/** How objects of Python's show in a notebook. Finding that out runs Python code, so that a higher layer defines it. */

/** What a notebook may show of an object, by media types: HTML and other text as it is, pictures in base64. */
export type MediaBundle = Record<string, unknown>;

let bundleOf: (reference: object) => MediaBundle;

/** Define how bundles are made. */
export function defineMediaBundles(
  make: (reference: object) => MediaBundle,
): void {
  bundleOf = make;
}

/** Return what a notebook may show of an object. */
export function mediaBundleOf(reference: object): MediaBundle {
  return bundleOf(reference);
}
