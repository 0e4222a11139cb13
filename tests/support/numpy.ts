/** Tests that need NumPy. */

/**
 * Registers a test that needs NumPy. It is ignored unless `ONEHEAP_TEST_NUMPY` is set, as `deno task test:pythons` does, which installs
 * NumPy.
 */
export const numpyTest: typeof Deno.test = Deno.env.has("ONEHEAP_TEST_NUMPY")
  ? Deno.test
  : Deno.test.ignore as typeof Deno.test;
