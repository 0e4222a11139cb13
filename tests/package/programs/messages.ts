// Posts to Workers while they import, some at once and some meanwhile. Tells how many each got of how many were sent.

/** How long to go on for, in messages; a Worker that imports longer gets those too. */
const MOST = 400;

async function post(file: string): Promise<string> {
  const worker = new Worker(import.meta.resolve(file), { type: "module" });
  const answer = new Promise<number>((resolve) => {
    worker.onmessage = ({ data }) => resolve(data);
  });
  let sent = 0;
  while (sent < MOST) {
    for (let count = 0; count < 20; count++) worker.postMessage(sent++);
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  const asking = setInterval(() => worker.postMessage("how many?"), 20);
  const received = await answer;
  clearInterval(asking);
  worker.terminate();
  return `${received} of ${sent}`;
}

for (const file of Deno.args) {
  const outcomes = await Promise.all([file, file].map(post));
  console.log(outcomes.join("\n"));
}
