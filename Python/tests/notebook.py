"""Runs the script on standard input as a notebook whose cells are its parts between empty lines, and prints what they print."""

import sys

import nbclient
import nbformat

cells = [nbformat.v4.new_code_cell(source) for source in sys.stdin.read().strip().split("\n\n")]
notebook = nbformat.v4.new_notebook(cells=cells)
client = nbclient.NotebookClient(notebook, timeout=100, kernel_name="python3")
client.create_kernel_manager()
client.km.transport = "ipc"  # the kernel warns of the other one
client.execute()
for cell in notebook.cells:
    for output in cell.outputs:
        print(output.get("text", output), end="")
