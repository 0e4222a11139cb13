"""
Runs the cells of a notebook in a kernel of `deno jupyter`, by Jupyter's own client. Cells come by standard input and what they show goes to
standard output, both as JSON. The argument is Deno's executable.
"""

import json
import os
import sys
import tempfile

from jupyter_client import KernelManager
from jupyter_client.kernelspec import KernelSpecManager

# How long a kernel may take to start, and a cell to run, in seconds.
TIMEOUT = 120

SHOWN = ("execute_result", "display_data", "error", "stream")


def start(deno, root):
    """A client of a new kernel, and its manager."""
    folder = os.path.join(root, "kernels", "deno")
    os.makedirs(folder)
    command = [deno, "jupyter", "--kernel", "--conn", "{connection_file}"]
    spec = {"argv": command, "display_name": "Deno", "language": "typescript"}
    with open(os.path.join(folder, "kernel.json"), "w") as file:
        json.dump(spec, file)
    specs = KernelSpecManager(kernel_dirs=[os.path.dirname(folder)], ensure_native_kernel=False)
    manager = KernelManager(kernel_name="deno", kernel_spec_manager=specs)
    manager.start_kernel()
    client = manager.client()
    client.start_channels()
    client.wait_for_ready(timeout=TIMEOUT)
    return client, manager


def execute(client, cell):
    """What a cell shows, in order."""
    outputs = []

    def receive(message):
        if message["msg_type"] in SHOWN:
            outputs.append({"type": message["msg_type"], **message["content"]})

    client.execute_interactive(cell, output_hook=receive, timeout=TIMEOUT)
    return outputs


with tempfile.TemporaryDirectory() as root:
    client, manager = start(sys.argv[1], root)
    try:
        print(json.dumps([execute(client, cell) for cell in json.load(sys.stdin)]))
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
