"""Run worker processes, so that a bad file costs only its own process.

`worker` is one process with its handshake, its limits, and the cause when it ends. Three drivers
use it: `processes` for a program that waits for outcomes, `asyncio_pool` for a server, and `single`
for one process that starts on demand. `work` handles one file in this process.
"""
