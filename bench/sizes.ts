/** The sizes that the benchmarks go through. */

/** A size as a benchmark's group and the report call it, and in bytes. */
export interface Size {
  readonly label: string;
  readonly bytes: number;
}

/** From a few numbers to a large picture. */
export const SIZES: readonly Size[] = [
  { label: "64 B", bytes: 64 },
  { label: "1 KiB", bytes: 1024 },
  { label: "64 KiB", bytes: 64 * 1024 },
  { label: "1 MiB", bytes: 1024 * 1024 },
  { label: "16 MiB", bytes: 16 * 1024 * 1024 },
];

/** The sizes of memory that is shown to the other side. It isn't touched, so it needn't be there. */
export const SHARED_SIZES: readonly Size[] = [
  { label: "1 KB", bytes: 1e3 },
  { label: "1 MB", bytes: 1e6 },
  { label: "100 MB", bytes: 1e8 },
  { label: "1 GB", bytes: 1e9 },
];
