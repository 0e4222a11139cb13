/** Attachments, in any order. */

import { attach, detach } from "../../../../mod.ts";
import { AttachmentHandle } from "../handles.ts";
import { type Choice, type Operation, remove, type World } from "../world.ts";

const MAX_ATTACHMENTS = 5;

const make = (isAttach: boolean): Operation => (world) => {
  if (world.attachments.length >= MAX_ATTACHMENTS) return;
  const depth = world.callbackDepth;
  return {
    what: isAttach ? "attach()" : "detach()",
    call: () => isAttach ? attach() : detach(),
    settle(outcome) {
      // Where Python holds the GIL across a callback, it can't be detached.
      const isCalled = world.callbackDepth > 0;
      if (!outcome.isDone({ LibraryError: isCalled && !isAttach })) return;
      const attachment = outcome.value as Disposable;
      world.attachments.push(
        new AttachmentHandle(attachment, isAttach, depth),
      );
    },
  };
};

const dispose: Operation = (world) => {
  const handle = world.pick(world.attachments);
  if (handle === undefined) return;
  const isLeft = handle.isDisposed;
  // One that can't be undone here may say so.
  const isElsewhere = handle.callbackDepth !== world.callbackDepth;
  return {
    what: `dispose ${handle.isAttach ? "an attach()" : "a detach()"}, number ${
      world.attachments.indexOf(handle)
    }${isLeft ? ", again" : ""}${isElsewhere ? ", made elsewhere" : ""}`,
    call: () => handle.attachment[Symbol.dispose](),
    settle(outcome) {
      const isDone = outcome.isDone({
        LibraryError: isElsewhere,
        RangeError: isElsewhere,
        TypeError: isElsewhere,
      });
      if (!isDone) return;
      if (handle.isDisposed && world.depth === 0) {
        remove(world.attachments, handle);
      }
      handle.isDisposed = true;
    },
  };
};

/** Operations on attachments. */
export const ATTACHMENTS: readonly Choice[] = [
  { weight: 3, plan: make(true), isAtomic: true },
  { weight: 2, plan: make(false), isAtomic: true },
  { weight: 5, plan: dispose, isAtomic: true },
];

/** Disposes all, in any order. */
export function disposeAttachments(world: World): void {
  while (world.attachments.length > 0) {
    const handle = world.pick(world.attachments)!;
    handle.attachment[Symbol.dispose]();
    remove(world.attachments, handle);
  }
}
