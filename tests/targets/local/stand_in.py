"""A supervisor without a runtime: runs the step's bash text itself and, if that ends well, commits on node 0.

The text "nothing" neither runs nor commits; a text with the word "deaf" in it makes the supervisor ignore TERM.

For what the engine must cope with and a working runtime never does: floods, deaths without a report, deaf processes.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tarfile
from pathlib import Path

from flowc.runtime import layout
from flowc.runtime.commit import commit_done, write_outputs
from flowc.runtime.plan import PLAN_FILE, Script, load
from flowc.runtime.store import open_store


def main() -> int:
    name, ix = sys.argv[1:]
    flow, run, attempt = (os.environ[f"FLOWC_{word}"] for word in ("FLOW", "RUN", "ATTEMPT"))
    store = open_store(os.environ["FLOWC_STORE"])
    archive = Path(f"bundle-{attempt}-{os.environ['FLOWC_NODE']}.tar")
    store.download(layout.bundle_key(flow, os.environ["FLOWC_BUNDLE"]), archive)
    with tarfile.open(archive) as tar:
        file = tar.extractfile(PLAN_FILE)
        assert file is not None
        body = load(file.read().decode()).step(name).body
    archive.unlink()
    assert isinstance(body, Script)
    if body.text == "nothing":
        return 0
    if "deaf" in body.text:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    code = subprocess.run(["bash", "-c", body.text, str(os.getpid())], check=False).returncode
    if code == 0 and os.environ["FLOWC_NODE"] == "0":
        outputs = write_outputs(store, flow, run, name, attempt, {}, ix=ix)
        commit_done(store, flow, run, name, attempt, outputs, ix=ix)
    return code


if __name__ == "__main__":
    sys.exit(main())
