"""Runs the cells of a notebook in a kernel of `deno jupyter`, by Jupyter's own client. Cells and what they show are JSON."""

import json, os, sys, tempfile
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client import KernelManager
deno, cells = sys.argv[1], json.load(sys.stdin)
root = tempfile.mkdtemp()
os.makedirs(root + "/kernels/deno")
json.dump({"argv": [deno, "jupyter", "--kernel", "--conn", "{connection_file}"], "display_name": "Deno", "language": "typescript"}, open(root + "/kernels/deno/kernel.json", "w"))
manager = KernelManager(kernel_name="deno", kernel_spec_manager=KernelSpecManager(kernel_dirs=[root + "/kernels"], ensure_native_kernel=False))
manager.start_kernel()
client = manager.client()
client.start_channels()
client.wait_for_ready(timeout=60)
shown = []
for cell in cells:
    outputs = []
    def hook(message):
        if message["msg_type"] in ("execute_result", "display_data", "error", "stream"):
            outputs.append({"type": message["msg_type"], **message["content"]})
    client.execute_interactive(cell, output_hook=hook, timeout=120)
    shown.append(outputs)
client.shutdown()
manager.shutdown_kernel(now=True)
print(json.dumps(shown))
