/** What takes time: what is lost and collected, reads, code on threads of its own, Workers. */

import { type PyObjectRef, python } from "../../../mod.ts";
import {
  anyArray,
  type Operation,
  transferInModel,
} from "./javascript_side.ts";
import { contents, Exporter, Memory } from "./model.ts";
import { collect, expectGiven, exporterOf } from "./python_side.ts";
import { anySize } from "./sizes.ts";
import {
  ArrayHandle,
  BlockHandle,
  collectGarbage,
  expect,
  type Handle,
  HAS_GIL,
  isExporting,
  PendingHandle,
  type World,
} from "./world.ts";

/** Loses something of JavaScript's, and waits until it is collected. */
export const lose: Operation = async (world) => {
  world.letGo();
  const lost = loseOne(world);
  if (lost === undefined) return;
  await collected(lost.reference);
  // Python releases what was collected.
  world.run("pass");
  if (!HAS_GIL) collect(world);
  await world.untilCounts();
  return `lose a ${lost.name}`;
};

/** A function of its own, so that nothing of the one that waits refers to what was lost. */
function loseOne(
  world: World,
): { name: string; reference: WeakRef<Handle> } | undefined {
  const handle = world.random.pick(
    world.handles.filter((it) => !(it instanceof PendingHandle)),
  );
  if (handle === undefined) return;
  world.remove(handle);
  return { name: handle.constructor.name, reference: new WeakRef(handle) };
}

/** Waits until V8 has collected something, and all that it alone referred to. */
async function collected(reference: WeakRef<Handle>): Promise<void> {
  for (let attempt = 0; attempt < 100; attempt++) {
    await new Promise((resolve) => setTimeout(resolve, attempt && 5));
    collectGarbage();
    if (reference.deref() !== undefined) continue;
    // Another collection ends the sweeping of the one before, which may be another thread's.
    collectGarbage();
    return;
  }
  throw new Error("what was lost is not collected");
}

/** Begins to read from a FIFO into an array. */
export const read: Operation = async (world) => {
  if (world.isPending("read")) return;
  const { reader, writer } = await world.surroundings.fifo();
  const target = anyArray(world);
  if (target === undefined || target.bytes.length === 0) return;
  const { bytes: { length }, buffer, offset } = target;
  const store = buffer.store!;
  const reading = reader.read(target.bytes);
  const finish = async () => {
    const most = Math.min(length, 4_096);
    const given = world.random.bytes(1 + world.random.below(most));
    writer.writeSync(given);
    expect(await reading === given.length, "all is read that was written");
    store.memory.contents.set(given, offset);
  };
  world.add(new PendingHandle("read", () => [store], finish));
  return `begin to read ${length} bytes into ${target.what}`;
};

/** Has code run on a thread of its own that holds a block until it is told to go on, and gives it back. */
export const runElsewhere: Operation = (world) => {
  if (world.isPending("run")) return;
  const handle = world.pick(BlockHandle);
  if (handle === undefined) return;
  world.letGo();
  const { scope } = world;
  const gate = python.eval("threading.Event()", { scope }) as PyObjectRef;
  const running = python.evalAsync("gate.wait() and given", {
    names: { gate, given: handle.block },
  });
  const exporter = exporterOf(handle);
  const finish = async () => {
    (gate.get("set") as PyObjectRef).call();
    gate[Symbol.dispose]();
    expectGiven(world, await running, exporter);
  };
  world.add(new PendingHandle("run", () => [exporter], finish));
  return "a block for code on a thread of its own";
};

/** Transfers an array to a Worker, which gives it back in the end or releases it. */
export const sendToWorker: Operation = async (world) => {
  if (world.isPending("array of the Worker")) return;
  world.letGo();
  const worker = await world.surroundings.worker();
  const target = anyArray(world);
  if (target === undefined) return;
  const { bytes: array, offset, first } = target;
  const buffer = transferInModel(world, target);
  await worker.ask({ kind: "hold array", array });
  const comesBack = world.random.once(2);
  const finish = async () => {
    if (!comesBack) {
      await worker.ask({ kind: "let array go" });
      return;
    }
    const back = await worker.ask({ kind: "give array back" });
    const array = back as Uint8Array<ArrayBuffer>;
    world.add(new ArrayHandle(array, buffer, offset - first));
  };
  world.add(new PendingHandle("array of the Worker", () => [buffer], finish));
  return `transfer ${target.what} to the Worker`;
};

/** The Worker holds what a variable has, until it is to release it. */
export const holdInWorker: Operation = async (world) => {
  if (world.isPending("variable of the Worker")) return;
  world.letGo();
  const worker = await world.surroundings.worker();
  const place = world.anything();
  if (place === undefined) return;
  const { at, thing } = place;
  await worker.ask({ kind: "hold variable", at });
  const finish = async () => {
    await worker.ask({ kind: "let variable go" });
  };
  world.add(
    new PendingHandle("variable of the Worker", () => [thing], finish),
  );
  return `the Worker holds v[${at}]`;
};

/** The Worker puts a block of its own into a variable, and frees it. */
export const putInWorker: Operation = async (world) => {
  world.letGo();
  const worker = await world.surroundings.worker();
  const { random } = world;
  const [at, bytes, value] = [
    world.anyPlace(),
    anySize(random),
    random.below(256),
  ];
  await worker.ask({ kind: "put block", at, bytes, value });
  const memory = new Memory("block", new Uint8Array(bytes).fill(value));
  world.variables[at] = new Exporter(memory, "Uint8Array", false);
  return `v[${at}] = a block of ${bytes} bytes of the Worker's`;
};

/** The Worker borrows what a variable has, fills it, and gives it back. */
export const fillInWorker: Operation = async (world) => {
  world.letGo();
  const worker = await world.surroundings.worker();
  const place = world.place(isExporting);
  if (place === undefined || place.thing.readonly) return;
  const { at, thing } = place;
  const value = world.random.below(256);
  await worker.ask({ kind: "fill", at, value });
  contents(thing).fill(value);
  return `the Worker fills v[${at}] with ${value}`;
};

/** Ends what is pending. */
export const finish: Operation = async (world) => {
  const handle = world.pick(PendingHandle);
  if (handle === undefined) return;
  world.letGo();
  world.remove(handle);
  await handle.finish();
  if (!HAS_GIL) collect(world);
  await world.untilCounts();
  return `finish the ${handle.kind}`;
};
