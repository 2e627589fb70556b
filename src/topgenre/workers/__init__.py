"""Worker processes: a bad file costs its own process, and no other file.

`worker` holds the mechanism: one process, its handshake, its limits, and who is to blame when it
ends. Three thin drivers stand on it: `processes` for a program that waits for outcomes,
`asyncio_pool` for a server, `single` for one helper that comes and goes. `work` does work with one
file in this process.
"""
