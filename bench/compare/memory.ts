/** Blocks, arenas, plain memory, and attaching. */

import { attached, type Benchmark, keep, type Run } from "./benchmark.ts";
import { repeat } from "./benchmark.ts";

const KIB = 1024;
const MIB = 1024 * KIB;

const small: Benchmark = {
  name: "alloc and free, 64 B",
  prepare: ({ alloc }) => (times) => {
    for (let index = 0; index < times; index++) alloc(Float64Array, 8).free();
  },
};

const smallWithView: Benchmark = {
  name: "alloc, view and free, 64 B",
  prepare: ({ alloc }) => (times) => {
    for (let index = 0; index < times; index++) {
      const block = alloc(Float64Array, 8);
      block.view[0] = index;
      block.free();
    }
  },
};

const rawPair: Benchmark = {
  name: "raw.malloc and free, 64 B",
  prepare: ({ raw }) => (times) => {
    for (let index = 0; index < times; index++) raw.free(raw.malloc(64));
  },
};

/** The benchmarks of memory, the quickest first in each group. */
export const MEMORY: readonly Benchmark[] = [
  small,
  attached(small),
  smallWithView,
  attached(smallWithView),
  {
    name: "alloc and free by using, aligned to 64, 64 B",
    prepare: ({ alloc }) =>
      repeat(() => {
        using block = alloc(Uint8Array, 64, { align: 64, zeroed: false });
        keep(block);
      }),
  },
  sized("1 KiB", KIB, { zeroed: true, written: true }),
  sized("64 KiB", 64 * KIB, { zeroed: true, written: false }),
  sized("64 KiB", 64 * KIB, { zeroed: true, written: true }),
  sized("1 MiB", MIB, { zeroed: true, written: false }),
  sized("1 MiB", MIB, { zeroed: false, written: false }),
  sized("1 MiB", MIB, { zeroed: false, written: true }),
  sized("16 MiB", 16 * MIB, { zeroed: true, written: true }),
  {
    name: "alloc of an array of 1,000 numbers",
    prepare({ alloc }) {
      const elements = Array.from({ length: 1_000 }, (_, index) => index / 2);
      return repeat(() => alloc(Float64Array, elements).free());
    },
  },
  {
    name: "alloc of a typed array of 1,000 numbers",
    prepare({ alloc }) {
      const elements = Float64Array.from({ length: 1_000 }, Math.sqrt);
      return repeat(() => alloc(Float64Array, elements).free());
    },
  },
  {
    name: "alloc of an iterable of 1,000 numbers",
    prepare({ alloc }) {
      const elements = new Set(Array(1_000).keys());
      return repeat(() => alloc(Int32Array, elements).free());
    },
  },
  {
    name: "realloc, 64 B to 128 B and back",
    prepare({ alloc }, resources) {
      const block = resources.use(alloc(Uint8Array, 64));
      return repeat(() => block.realloc(128).realloc(64));
    },
  },
  {
    name: "realloc with a view, 64 B to 128 B and back",
    prepare({ alloc }, resources) {
      const block = resources.use(alloc(Uint8Array, 64));
      return repeat(() => {
        block.view[0] = 1;
        block.realloc(128);
        block.view[0] = 1;
        block.realloc(64);
      });
    },
  },
  {
    name: "realloc growth to 1 MiB by 4 KiB",
    prepare: ({ alloc }) =>
      repeat(() => {
        using block = alloc(Uint8Array, 4 * KIB, { zeroed: false });
        for (let length = 8 * KIB; length <= MIB; length += 4 * KIB) {
          block.realloc(length, { zeroed: false });
        }
      }),
  },
  growth("realloc growth to 16 MiB by 64 KiB, written", false),
  growth("realloc growth to 16 MiB by 64 KiB, zeroed and written", true),
  {
    name: "block.view",
    prepare({ alloc }, resources) {
      const block = resources.use(alloc(Float64Array, 8));
      return (times) => {
        for (let index = 0; index < times; index++) block.view[0] = index;
      };
    },
  },
  {
    name: "block.length",
    prepare({ alloc }, resources) {
      const block = resources.use(alloc(Float64Array, 8));
      return (times) => {
        let sum = 0;
        for (let index = 0; index < times; index++) sum += block.length;
        keep(sum);
      };
    },
  },
  {
    name: "block.address",
    prepare({ alloc }, resources) {
      const block = resources.use(alloc(Float64Array, 8));
      return (times) => {
        let sum = 0;
        for (let index = 0; index < times; index++) sum += block.address;
        keep(sum);
      };
    },
  },
  {
    name: "block.address with a view",
    prepare({ alloc }, resources) {
      const block = resources.use(alloc(Float64Array, 8));
      keep(block.view);
      return (times) => {
        let sum = 0;
        for (let index = 0; index < times; index++) sum += block.address;
        keep(sum);
      };
    },
  },
  {
    name: "alloc, and view's buffer transferred",
    batch: 2,
    prepare: ({ alloc }) =>
      repeat(() => keep(alloc(Float64Array, 8).view.buffer.transfer(0))),
  },
  {
    name: "arena.alloc, 8 doubles",
    prepare({ Arena }, resources) {
      const arena = resources.use(new Arena());
      return (times) => {
        arena.reset();
        for (let index = 0; index < times; index++) {
          keep(arena.alloc(Float64Array, 8));
        }
      };
    },
  },
  {
    name: "arena made, used and disposed",
    prepare: ({ Arena }) =>
      repeat(() => {
        using arena = new Arena();
        keep(arena.alloc(Float64Array, 8));
      }),
  },
  rawPair,
  attached(rawPair),
  {
    name: "raw.realloc, 64 B to 128 B and back",
    prepare({ raw }, resources) {
      let address = raw.malloc(64);
      resources.defer(() => raw.free(address));
      return (times) => {
        for (let index = 0; index < times; index++) {
          address = raw.realloc(raw.realloc(address, 128), 64);
        }
      };
    },
  },
  {
    name: "attach and dispose",
    prepare: ({ attach }) => (times) => {
      for (let index = 0; index < times; index++) {
        using _attached = attach();
      }
    },
  },
  attached({
    name: "attach and dispose",
    prepare: ({ attach }) => (times) => {
      for (let index = 0; index < times; index++) {
        using _attached = attach();
      }
    },
  }),
  attached({
    name: "detach and dispose",
    prepare: ({ detach }) => (times) => {
      for (let index = 0; index < times; index++) {
        using _detached = detach();
      }
    },
  }),
  {
    name: "stats()",
    prepare: ({ stats }) => repeat(() => keep(stats())),
  },
];

/** A block of that many bytes, made and freed, and written in between. */
function sized(
  label: string,
  bytes: number,
  { zeroed, written }: { zeroed: boolean; written: boolean },
): Benchmark {
  const how = [zeroed ? "zeroed" : "not zeroed", ...written ? ["written"] : []];
  return {
    name: `alloc and free, ${label}, ${how.join(", ")}`,
    prepare: ({ alloc }) =>
      repeat(() => {
        const block = alloc(Uint8Array, bytes, { zeroed });
        if (written) block.view.fill(1);
        block.free();
      }),
  };
}

function growth(name: string, zeroed: boolean): Benchmark {
  const step = 64 * KIB;
  return {
    name,
    prepare: ({ alloc }): Run =>
      repeat(() => {
        using block = alloc(Uint8Array, step, { zeroed });
        block.view.fill(1);
        for (let length = 2 * step; length <= 16 * MIB; length += step) {
          block.realloc(length, { zeroed });
          block.view.fill(1, length - step);
        }
      }),
  };
}
