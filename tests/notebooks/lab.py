"""JupyterLab in headless Chromium, as a person meets it: open a notebook, run all of it, look at what it shows."""

import contextlib
import json
import socket
import subprocess
import sys
import time
import urllib.request

import nbformat
import pytest

from tests.notebooks.harness import end_group, environment

SETTINGS = ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTERLAB_SETTINGS_DIR", "IPYTHONDIR")
ENDED = """() => {
    const prompts = [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].map(prompt => prompt.textContent);
    return !prompts.some(text => text.includes('*')) && prompts.some(text => /\\d/.test(text));
}"""
RUNNING = """() => [...document.querySelectorAll('.jp-CodeCell')]
    .filter(cell => cell.querySelector('.jp-InputPrompt').textContent.includes('*'))
    .map(cell => cell.querySelector('.jp-Editor').innerText)"""
TALL = 12_000       # the page draws only the cells that it shows


@contextlib.contextmanager
def jupyterlab(folder):
    """The address of a JupyterLab over `folder`, on the loopback interface, with settings and kernels of its own."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    private = {name: str(folder / f".{name.lower()}") for name in SETTINGS}
    quiet = folder / ".jupyterlab_settings_dir/@jupyterlab/apputils-extension/notification.jupyterlab-settings"
    quiet.parent.mkdir(parents=True)
    quiet.write_text('{"fetchNews": "false", "checkForUpdates": false}')
    command = [sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root", f"--port={port}",
               "--ServerApp.port_retries=0", f"--ServerApp.root_dir={folder}", "--IdentityProvider.token=",
               "--ServerApp.password=", "--ServerApp.disable_check_xsrf=True"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
                               env={**environment(), **private})
    try:
        wait_for(f"http://127.0.0.1:{port}/api", process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            end_group(process)


def wait_for(address, process, patience=60.0):
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if process.poll() is not None:
            pytest.fail(f"JupyterLab ended with status {process.returncode} before it answered")
        with contextlib.suppress(OSError):
            urllib.request.urlopen(address, timeout=1)
            return
        time.sleep(0.3)
    pytest.fail(f"JupyterLab did not answer within {patience:g} s")


class Lab:
    """One page of JupyterLab; `open` shows a notebook, `run_all` runs it."""

    def __init__(self, page, address, folder):
        self.page, self.address, self.folder = page, address, folder

    def open(self, notebook, name):
        """Shows the notebook, and returns when its kernel is ready."""
        self.path = self.folder / f"{name}.ipynb"
        nbformat.write(notebook, self.path)
        self.page.set_viewport_size({"width": 1400, "height": TALL})
        self.page.goto(f"{self.address}/doc/tree/{name}.ipynb")
        self.page.wait_for_selector(".jp-Notebook .jp-Cell", timeout=90_000)
        end = time.monotonic() + 60
        while not self.kernel_is_ready(f"{name}.ipynb"):
            assert time.monotonic() < end, "the kernel did not start within a minute"
            self.page.wait_for_timeout(200)
        self.page.wait_for_timeout(500)

    def kernel_is_ready(self, path):
        return any(one["path"] == path and one["kernel"]["execution_state"] == "idle" for one in self.sessions())

    def sessions(self):
        with urllib.request.urlopen(f"{self.address}/api/sessions", timeout=5) as reply:
            return json.load(reply)

    def close(self):
        """Ends the page and every kernel: fifteen models in memory at once would be too many."""
        self.page.close()
        for one in self.sessions():
            end = urllib.request.Request(f"{self.address}/api/sessions/{one['id']}", method="DELETE")
            urllib.request.urlopen(end, timeout=30).close()

    def run_all(self, patience=180.0):
        """Run › Run All Cells, by the menu; returns when every cell has ended, or one has failed and none runs."""
        self.page.click('.lm-MenuBar-itemLabel:text-is("Run")')
        self.page.click('.lm-Menu-itemLabel:text-is("Run All Cells")')
        end = time.monotonic() + patience
        while not self.page.evaluate(ENDED):
            assert time.monotonic() < end, self.state(patience)
            self.page.wait_for_timeout(200)

    def state(self, patience):
        """What a notebook that does not end is at: its kernel's state, the cells that run, what is open over them."""
        kernels = [one["kernel"]["execution_state"] for one in self.sessions() if one["path"] == self.path.name]
        running = self.page.evaluate(RUNNING)
        dialogs = self.page.locator(".jp-Dialog-content").all_inner_texts()
        return (f"not ended after {patience:g} s: kernel {kernels}, dialogs {dialogs}, {len(running)} cells to go, "
                f"the first of them:\n" + "\n".join(running[:1]))

    def errors(self):
        """Every error output of the notebook, as it was saved, and every widget that could not be shown."""
        self.page.wait_for_timeout(500)
        self.page.click('.lm-MenuBar-itemLabel:text-is("File")')
        self.page.click('.lm-Menu-itemLabel:text-is("Save Notebook")')
        self.page.wait_for_timeout(1500)
        outputs = [
            output for cell in nbformat.read(self.path, as_version=4).cells for output in cell.get("outputs", [])
        ]
        failed = [f"{output.ename}: {output.evalue}" for output in outputs if output.output_type == "error"]
        return failed + self.page.locator(':text("Error displaying widget")').all_inner_texts()
