/** A program that imports the library and allocates. What `import_time.ts` measures. */

import { alloc } from "../../mod.ts";

using block = alloc(Float64Array, 8);
block.view[0] = 1.5;
