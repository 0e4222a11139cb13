/** Reading a file whole into memory that grows: a block in Python's heap, and the same job on ordinary memory. */

import { alloc, type Block, realloc } from "../../mod.ts";

/** The memory to begin with; it doubles when it is full. */
const FIRST_BYTES = 64 * 1024;

/** Called with the bytes read so far. */
export type Progress = (bytes: number) => void;

/** Read the file into one block, straight into its view, and fits the block to it. The caller owns the block. */
export async function readIntoBlock(
  path: string,
  progress: Progress,
): Promise<Block<Uint8Array<ArrayBuffer>>> {
  using file = await Deno.open(path);
  const block = alloc(Uint8Array, FIRST_BYTES, { zeroed: false });
  try {
    let filled = 0;
    while (true) {
      if (filled === block.length) {
        realloc(block, block.length * 2, { zeroed: false });
      }
      const read = await file.read(block.view.subarray(filled));
      if (read === null) break;
      progress(filled += read);
    }
    return realloc(block, filled);
  } catch (error) {
    block.free();
    throw error;
  }
}

/** The same in JavaScript's memory, where growing means a new array and a copy. */
export async function readIntoArray(
  path: string,
  progress: Progress,
): Promise<Uint8Array<ArrayBuffer>> {
  using file = await Deno.open(path);
  let array = new Uint8Array(FIRST_BYTES);
  let filled = 0;
  while (true) {
    if (filled === array.length) {
      const larger = new Uint8Array(array.length * 2);
      larger.set(array);
      array = larger;
    }
    const read = await file.read(array.subarray(filled));
    if (read === null) return array.subarray(0, filled);
    progress(filled += read);
  }
}

/** Return how often each byte value occurs. */
export function countByValue(
  bytes: Uint8Array<ArrayBuffer>,
): Float64Array<ArrayBuffer> {
  const counts = new Float64Array(256);
  for (let index = 0; index < bytes.length; index++) counts[bytes[index]]++;
  return counts;
}
